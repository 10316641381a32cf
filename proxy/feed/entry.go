package feed

import (
	"bytes"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Column is a column with ids of a resource type, by which rows are granted.
type Column struct{ Name, ResourceType string }

// column is a column of a feed. Its ids have the numbers of the grants of the first
// cohort.
type column struct {
	name string
	ids  atomic.Pointer[authz.IDs]
}

// entry is one message of a log, decoded. It never changes.
type entry struct {
	message electric.Message // its bytes belong to the entry
	ids     []ids            // by the feed's columns
}

// ids are the ids in one column of a message: the present one and, if an update changed
// it, the one before.
type ids struct{ now, before id }

// holder is a set of ids, by their numbers.
type holder interface{ HasNumber(n uint32) bool }

// in reports whether a set has one of the ids.
func in[H holder](set H, i *ids) bool {
	return i.now.known && set.HasNumber(i.now.number) || i.before.known && set.HasNumber(i.before.number)
}

// id is one id. It has a number if it was ever granted, and may get one
// later.
type id struct {
	text   []byte // nil: NULL, or the message does not contain the column
	number uint32
	known  bool
}

func (f *Feed) decode(m *electric.Message) (*entry, error) {
	e := &entry{}
	var err error
	if e.message, err = electric.ParseMessage(bytes.Clone(m.Raw)); err != nil || e.message.Operation == electric.Control {
		return e, err
	}
	if err := e.message.Remember(f.names); err != nil {
		return e, err
	}
	e.ids = make([]ids, len(f.columns))
	for i := range f.columns {
		c := &f.columns[i]
		now, err := e.message.Column(c.name)
		if err != nil {
			return e, err
		}
		e.ids[i].now = c.id(now)
		if e.message.Operation != electric.Update {
			continue
		}
		before, err := e.message.OldColumn(c.name)
		if err != nil {
			return e, err
		}
		if !bytes.Equal(before.Text, now.Text) {
			e.ids[i].before = c.id(before)
		}
	}
	return e, nil
}

func (c *column) id(v electric.Value) (i id) {
	if v.Present && !v.Null {
		i.text = v.Text
	}
	return c.resolved(i)
}

// resolved returns the id with its number, if it has got one.
func (c *column) resolved(i id) id {
	if table := c.ids.Load(); table != nil && i.text != nil && !i.known {
		i.number, i.known = table.LookupBytes(i.text)
	}
	return i
}

func (e *entry) size() int {
	const overhead = 256
	return len(e.message.Raw) + overhead + 96*len(e.ids)
}
