package electrictest

import (
	"slices"
	"strconv"
)

// transaction is one that has committed, as the log has it.
type transaction struct {
	changes []change
	ops     []int64 // the position of each change in it
	lsn, id int64
}

// logged is a change as it concerns one shape.
type logged struct {
	kind     changeKind
	offset   offset
	old, new *row
	changed  []int // the columns of the shape that an update changes
}

// convert says what a change is to the shape: an update that moves a row out of
// the main where is a delete, one that moves a row in is an insert, and one that
// changes no column of the shape is nothing.
func (d *definition) convert(c *change) (logged, bool) {
	l := logged{kind: c.kind, old: c.old, new: c.new}
	switch c.kind {
	case inserted:
		return l, d.where.holds(c.new)
	case deleted:
		return l, d.where.holds(c.old)
	}
	was, is := d.where.holds(c.old), d.where.holds(c.new)
	switch {
	case was && !is:
		l.kind = deleted
		return l, true
	case is && !was:
		l.kind = inserted
		return l, true
	case !was:
		return l, false
	}
	for _, i := range d.selected {
		if c.old.cells[i] != c.new.cells[i] {
			l.changed = append(l.changed, i)
		}
	}
	return l, len(l.changed) > 0
}

// messages writes a change as one message, or as two where it changes the key.
func (e *encoding) messages(l *logged, txid string, last bool) []message {
	switch {
	case l.kind == inserted:
		return []message{e.message("insert", l.offset, l.new, nil, txid, last, "")}
	case l.kind == deleted:
		return []message{e.message("delete", l.offset, l.old, nil, txid, last, "")}
	case l.old.logKey != l.new.logKey:
		next := offset{l.offset.lsn, l.offset.op + 1}
		return []message{
			e.message("delete", l.offset, l.old, nil, txid, false, `,"key_change_to":`+l.new.logKey),
			e.message("insert", next, l.new, nil, txid, last, `,"key_change_from":`+l.old.logKey),
		}
	default:
		return []message{e.message("update", l.offset, l.new, l, txid, last, "")}
	}
}

func (e *encoding) message(operation string, o offset, r *row, update *logged, txid string, last bool, extra string) message {
	all := func(int) bool { return true }
	include := all
	if !e.full && operation != "insert" {
		include = func(i int) bool {
			return slices.Contains(e.table.key, i) || update != nil && slices.Contains(update.changed, i)
		}
	}
	b := append(make([]byte, 0, 256), `{"value":`...)
	b = e.appendLogValue(b, r, include)
	b = append(b, `,"key":`...)
	b = append(b, r.logKey...)
	b = append(b, `,"headers":{`...)
	if last {
		b = append(b, `"last":true,`...)
	}
	b = append(b, `"relation":`...)
	b = append(b, e.relation...)
	b = append(b, `,"operation":"`...)
	b = append(b, operation...)
	b = append(b, `","lsn":"`...)
	b = strconv.AppendInt(b, o.lsn, 10)
	b = append(b, `","txids":[`...)
	b = append(b, txid...)
	b = append(b, `],"op_position":`...)
	b = strconv.AppendInt(b, o.op, 10)
	b = append(b, extra...)
	b = append(b, '}')
	if update != nil && e.full {
		b = append(b, `,"old_value":`...)
		b = e.appendLogValue(b, update.old, func(i int) bool { return slices.Contains(update.changed, i) })
	}
	return message{o, append(b, '}')}
}
