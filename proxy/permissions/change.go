package permissions

import (
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Change is what brings a client from the grants that it was served to those of today.
type Change struct {
	table *Table
	held  []authz.Grants // what the client may hold, what it surely was served first
	now   authz.Grants
	ids   []string // in question, sorted
}

// NewChange compares grants. held are those that the client may hold rows of: first what it
// surely was served, then what was sent and not acknowledged.
func (t *Table) NewChange(held []authz.Grants, now authz.Grants) *Change {
	c := &Change{table: t, held: held, now: now}
	differs := make(map[string]struct{})
	add := func(s *authz.GrantSet) {
		for id := range s.All() {
			differs[id] = struct{}{}
		}
	}
	for i := range t.permissions {
		for _, g := range held {
			add(g.Set(i).Difference(now.Set(i)))
			add(now.Set(i).Difference(g.Set(i)))
		}
	}
	for id := range differs {
		if t.holds(id) {
			c.ids = append(c.ids, id)
		}
	}
	slices.Sort(c.ids)
	return c
}

// IDs returns the ids that Append may have a message for.
func (c *Change) IDs() []string { return c.ids }

// Append appends the message that brings the row of one of the ids to what it is now:
// nothing, if the client surely has it.
func (c *Change) Append(dst []byte, id string) []byte {
	t := c.table
	now := t.rowOf(c.now, id)
	surely := t.rowOf(c.held[0], id)
	certain, maybe := true, surely != 0
	for _, g := range c.held[1:] {
		r := t.rowOf(g, id)
		certain = certain && r == surely
		maybe = maybe || r != 0
	}
	switch {
	case certain && now == surely:
		return dst
	case now == 0 && !maybe:
		return dst
	case now == 0:
		return t.append(dst, electric.Delete, id, now)
	case certain && surely != 0:
		return t.append(dst, electric.Update, id, now)
	default:
		return t.append(dst, electric.Insert, id, now)
	}
}
