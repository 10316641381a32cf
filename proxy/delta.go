package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// delta is what a change of grants means for the rows that a reader holds: rows
// that go, and rows that come. It is told after the part of the log that precedes
// it, whose messages were filtered by window.
type delta struct {
	rd     *reading
	change authz.Change
	window window

	brought map[string]bool // the keys of the rows that came

	gone []string // ids whose rows go, where the filter's column is the key
	rows *rows    // rows in question, as they are now; nil: there are none
}

func (rd *reading) newDelta(h handle, c authz.Change, inStream bool) *delta {
	held := make([]*authz.GrantSet, len(c.Kept))
	for i := range held {
		held[i] = c.Kept[i].Union(c.Lost[i].Intersection(c.Before[i]))
	}
	d := &delta{rd: rd, change: c, window: window{
		kept: rd.shape.granted(c.Kept),
		held: rd.shape.granted(held),
		late: rd.late,
	}}
	rd.consider(&d.window, h, c, inStream)
	return d
}

// byKey reports whether an id of any filter is the key of the one row that it
// makes visible.
func (s *shape) byKey() bool {
	table := s.table.Load()
	for _, f := range s.def.Authorize.Filter {
		if len(table.Key) != 1 || table.Key[0] != f.Column {
			return false
		}
	}
	return true
}

// ask asks for the rows in question. The caller closes the delta.
//
// Where an id is a row's key, the rows that go are known without asking, whether
// or not they are there. Otherwise it takes the table to tell which rows an id
// stands for: those that are in reach of a lost id are asked for as well, and of
// them only the keys are told.
func (d *delta) ask(ctx context.Context, log shapeLog) error {
	byKey := d.rd.shape.byKey()
	var filters []filterArray
	for i, f := range d.rd.shape.def.Authorize.Filter {
		wanted, lost := d.change.Gained[i], d.lost(i)
		if byKey {
			d.gone = append(d.gone, d.rd.goneIDs(f.Column, lost)...)
		} else {
			wanted = wanted.Union(lost)
		}
		if ids := d.rd.validIDs(columnGrants{f.Column, wanted}); len(ids) > 0 {
			filters = append(filters, filterArray{f.Column, ids})
		}
	}
	slices.Sort(d.gone)
	d.gone = slices.Compact(d.gone)
	if len(filters) == 0 {
		return nil
	}
	plan, err := planFor(&subset.Request{}, filters)
	if err != nil {
		return err
	}
	d.rows, err = openRows(ctx, log, plan)
	if err != nil {
		return d.rd.explain(err)
	}
	return nil
}

// lost returns the lost ids of a filter of which the reader may have rows: those that
// it held at the earlier end, and those of grants that came and went since, if rows
// of them may have been brought.
func (d *delta) lost(filter int) *authz.GrantSet {
	had := d.change.Before[filter]
	for _, b := range d.window.extra {
		if b.rows.all {
			return d.change.Lost[filter]
		}
		had = had.Union(b.rows.columns[filter].grants)
	}
	return d.change.Lost[filter].Intersection(had)
}

// goneIDs returns the lost ids that make no row visible any more.
func (rd *reading) goneIDs(column string, lost *authz.GrantSet) []string {
	ids := rd.validIDs(columnGrants{column, lost})
	return slices.DeleteFunc(ids, func(id string) bool {
		visible, err := rd.view.permits(func(string) (electric.Value, error) {
			return electric.Value{Present: true, Text: []byte(id)}, nil
		})
		return err == nil && visible
	})
}

// Close ends what ask began.
func (d *delta) Close() {
	if d.rows != nil {
		_ = d.rows.Close()
	}
}

// late returns what may come late once the delta was delivered, in a stream or, with the
// zero mark, in an answer.
func (d *delta) late(inStream authz.Mark) []late {
	if d.rows == nil {
		return d.rd.late
	}
	return d.rd.after(d.rd.late, d.rows.metadata, d.window, d.brought, inStream)
}

// seen is what the snapshot of the rows in question had seen, if there was one that said.
func (d *delta) seen() *electric.Fence {
	if d.rows == nil {
		return nil
	}
	seen, ok := d.rows.metadata.Fence()
	if !ok {
		return nil
	}
	return &seen
}

// write sends the delta: what goes first, then what comes and, if rows were asked
// for, what transactions they have seen.
func (d *delta) write(send func(message []byte) error) error {
	for _, id := range d.gone {
		if err := send(d.end(id)); err != nil {
			return err
		}
	}
	if d.rows == nil {
		return nil
	}
	keys := d.rd.shape.keys()
	var buf []byte
	for {
		m, err := d.rows.Next()
		if errors.Is(err, io.EOF) {
			return send(snapshotEnd(d.rows.metadata))
		}
		if err != nil {
			return err
		}
		message, ok, err := d.row(buf[:0], m, keys)
		if err != nil {
			return err
		}
		if ok {
			if err := send(message); err != nil {
				return err
			}
		}
		buf = message
	}
}

// row appends what the reader is told of a row in question: the row, if it is
// visible; its end, if the reader may have it.
func (d *delta) row(dst []byte, m *electric.Message, keys keyReader) ([]byte, bool, error) {
	visible, err := d.rd.view.permits(m.Column)
	if err != nil {
		return dst, false, err
	}
	if visible {
		if d.brought == nil {
			d.brought = make(map[string]bool)
		}
		d.brought[string(m.Key())] = true
		return append(dst, m.Raw...), true, nil
	}
	has, err := d.window.mayHave(string(m.Key()), m.Column, nil)
	if err != nil || !has {
		return dst, false, err
	}
	return m.AppendEnd(dst, keys.key), true, nil
}

// end is the delete of the row with an id as its key.
func (d *delta) end(id string) []byte {
	table := d.rd.shape.def.Table
	message, err := json.Marshal(map[string]any{
		"key":   electric.RowKey(table.Schema, table.Name, []*string{&id}),
		"value": map[string]string{d.rd.shape.table.Load().Key[0]: id},
		"headers": map[string]any{
			"operation": "delete",
			"relation":  []string{table.Schema, table.Name},
		},
	})
	if err != nil {
		panic(err) // strings alone
	}
	return message
}
