package proxy

import (
	"errors"

	"github.com/shapegate/shapegate/proxy/electric"
)

// window is what a reader may see of a part of a log, during which what it may see
// may have changed.
//
// A grant covers the present, not the past: of a row that was not visible all the
// time, the reader gets no message of the log, since that may have been written
// while the row was not its to see. What it gets of such a row is the present
// state, which is no business of the log's; and where the row went away, that it
// did.
type window struct {
	kept visibility // rows that are visible all the time
	held visibility // rows that the reader may have

	extra []brought // rows that the reader may have besides, see extras

	// late is what messages of the log may tell too late.
	late []late

	// entered tells of rows in reach, and not in kept, whether they came in only
	// during this part: such a row the reader cannot have, unless it has read that
	// transaction before, or was given a subset since. Nil: that cannot be told.
	entered map[string]bool
	read    uint64          // the LSN that the reader has come to
	loaded  *electric.Fence // what its last subset had seen, if there was one
}

// steady is the window of a part during which nothing changed.
func (v visibility) steady() window { return window{kept: v, held: v} }

// apply appends to dst what the reader may see of a message, and reports whether
// that is anything.
//
// An update that takes a row out of what the reader may see becomes a delete of
// the row as it was, one that brings a row in becomes an insert of the row as it
// is, without the values from before. The feed must tell the filter's columns
// before and after an update: a ReplicaFull feed does, and any feed does for
// columns of the primary key, which no update changes.
func (w *window) apply(dst []byte, m *electric.Message, keys keyReader) ([]byte, bool, error) {
	if w.kept.all || m.Operation == electric.Control {
		return append(dst, m.Raw...), true, nil
	}
	if len(w.late) > 0 {
		narrow, settled := w.of(m)
		if settled {
			return dst, false, nil
		}
		return narrow.apply(dst, m, keys)
	}
	now, err := w.kept.permits(m.Column)
	if err != nil {
		return dst, false, err
	}
	switch {
	case m.Operation == electric.Update:
		return w.applyUpdate(dst, m, now, keys)
	case now && m.KeyChange != nil && !w.kept.permitsKey(string(m.KeyChange), keys):
		return m.AppendWithoutKeyChange(dst), true, nil
	case now:
		return append(dst, m.Raw...), true, nil
	case m.Operation == electric.Delete:
		return w.applyLoss(dst, m, m.Column, keys)
	default:
		return dst, false, w.note(m, m.Column, true)
	}
}

func (w *window) applyUpdate(dst []byte, m *electric.Message, now bool, keys keyReader) ([]byte, bool, error) {
	before, err := w.kept.permits(m.OldColumn)
	switch {
	case err != nil:
		return dst, false, err
	case now && before:
		return append(dst, m.Raw...), true, nil
	case now:
		return m.AppendAs(dst, electric.Insert), true, nil
	case before:
		return m.AppendAs(dst, electric.Delete), true, nil
	}
	before, err = w.reaches(m.OldColumn)
	if err != nil {
		return dst, false, err
	}
	// Where it is still in reach, what becomes of it is not for the log to say.
	reached, err := w.held.permits(m.Column)
	if err != nil || reached {
		return dst, false, errors.Join(err, w.note(m, m.Column, !before))
	}
	dst, told, err := w.applyLoss(dst, m, m.OldColumn, keys)
	return dst, told, errors.Join(err, w.note(m, m.Column, !before))
}

// applyLoss appends the end of a row that was not visible all the time, if the
// reader may have it: its key, and nothing of what was in it.
func (w *window) applyLoss(dst []byte, m *electric.Message, column columnReader, keys keyReader) ([]byte, bool, error) {
	has, err := w.mayHave(string(m.Key()), column, m)
	if err == nil && has {
		err = w.note(m, column, false)
	}
	if err != nil || !has {
		return dst, false, err
	}
	return m.AppendEnd(dst, keys.key), true, nil
}

// columnReader reads a column of a row.
type columnReader = func(name string) (electric.Value, error)

// mayHave reports whether the reader may have a row that was not visible all the time: as
// it was before a message that takes it away or, with none, as it is now.
func (w *window) mayHave(key string, column columnReader, end *electric.Message) (bool, error) {
	held, err := w.held.permits(column)
	if err != nil || held && !w.entered[key] {
		return held, err
	}
	for i := range w.extra {
		b := &w.extra[i]
		if b.came[key] || end != nil && b.isAfter(end) {
			continue
		}
		if has, err := b.rows.permits(column); err != nil || has {
			return has, err
		}
	}
	return false, nil
}

// note remembers of a row that was not visible all the time whether it came in
// with this message, which is the first that says so.
func (w *window) note(m *electric.Message, column columnReader, cameIn bool) error {
	if w.entered == nil {
		return nil
	}
	key := string(m.Key())
	if _, ok := w.entered[key]; ok {
		return nil
	}
	reached, err := w.reaches(column)
	if err != nil || !reached {
		return err
	}
	w.entered[key] = cameIn && m.Offset().LSN() > w.read && (w.loaded == nil || !m.SeenBy(w.loaded))
	for i := range w.extra {
		if b := &w.extra[i]; b.came != nil && cameIn && m.Offset().Compare(b.until) > 0 {
			b.came[key] = b.seen == nil || !m.SeenBy(b.seen)
		}
	}
	return nil
}

// reaches reports whether the reader may have had a row, or been brought it besides.
func (w *window) reaches(column columnReader) (bool, error) {
	reached, err := w.held.permits(column)
	for i := range w.extra {
		if err == nil && !reached {
			reached, err = w.extra[i].rows.permits(column)
		}
	}
	return reached, err
}
