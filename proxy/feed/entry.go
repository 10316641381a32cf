package feed

import (
	"bytes"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Column is a column by whose value rows are granted: ids of a resource type.
type Column struct{ Name, ResourceType string }

// column is one of a feed's columns. Its ids are numbered as the grants number them
// that are the first to come.
type column struct {
	name string
	ids  atomic.Pointer[authz.IDs]
}

// entry is one message of a log, decoded once. It does not change.
type entry struct {
	message electric.Message // of a copy that the entry owns
	ids     []ids            // by the feed's columns
}

// ids are the ids that a message tells for one column: of the row as it is and, of an
// update, as it was.
type ids struct{ now, before id }

// holder is a set of ids by their numbers.
type holder interface{ HasNumber(n uint32) bool }

// in reports whether a set holds one of the ids.
func in[H holder](set H, i *ids) bool {
	return i.now.known && set.HasNumber(i.now.number) || i.before.known && set.HasNumber(i.before.number)
}

// id is one id, as a number if it has one. An id that nobody was granted has none,
// and may get one later.
type id struct {
	text   []byte // nil: there is none
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

// resolved returns the id with its number, if it has one by now.
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
