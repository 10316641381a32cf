package feed

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Column is a column with ids of a resource type, by which rows are granted.
type Column struct{ Name, ResourceType string }

// columns are the columns by which the rows of a feed are granted. They decode the
// messages of its log, and give the ids in them the numbers that grants have. They are
// safe for concurrent use.
type columns struct {
	all   []column
	names []string // of the columns, each once
}

// column is one of the columns. Its ids have the numbers of the grants of the first
// cohort, and always those.
type column struct {
	name string
	ids  atomic.Pointer[authz.IDs] // nil: there was no cohort with grants yet
}

func newColumns(all []Column) *columns {
	x := &columns{all: make([]column, len(all))}
	for i, c := range all {
		x.all[i].name = c.Name
		if !slices.Contains(x.names, c.Name) {
			x.names = append(x.names, c.Name)
		}
	}
	return x
}

// number makes the columns use the numbers of a view's ids, and reports whether they do.
// The first view decides which numbers a column uses.
func (x *columns) number(view *View) bool {
	for _, g := range view.Grants {
		table := g.IDs.IDs()
		if table == nil {
			continue // an empty set
		}
		ids := &x.all[g.Column].ids
		ids.CompareAndSwap(nil, table)
		if ids.Load() != table {
			return false
		}
	}
	return true
}

// decode makes an entry of a message. Its bytes are copied. Errors are those of
// electric.ParseMessage.
func (x *columns) decode(m *electric.Message) (*entry, error) {
	e := &entry{}
	var err error
	if e.message, err = electric.ParseMessage(bytes.Clone(m.Raw)); err != nil || e.message.Operation == electric.Control {
		return e, err
	}
	if err := e.message.Remember(x.names); err != nil {
		return e, err
	}
	e.ids = make([]ids, len(x.all))
	for i := range x.all {
		c := &x.all[i]
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

// numbered appends the ids of an entry to dst, with the numbers that they have now.
func (x *columns) numbered(dst []ids, e *entry) []ids {
	for i := range e.ids {
		c := &x.all[i]
		dst = append(dst, ids{c.resolved(e.ids[i].now), c.resolved(e.ids[i].before)})
	}
	return dst
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
