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
	again authz.Grants   // ids of which the client may lack what it was served
	ids   []string       // in question, sorted
}

// NewChange compares grants. held are those that the client may hold rows of: first what it
// surely was served, then what was sent and not acknowledged. again are ids whose rows come
// anew, if they are there: an answer may have left them out.
func (t *Table) NewChange(held []authz.Grants, now, again authz.Grants) *Change {
	c := &Change{table: t, held: held, again: again}
	differs := make(map[string]struct{})
	add := func(s *authz.GrantSet) {
		for id := range s.All() {
			differs[id] = struct{}{}
		}
	}
	for i := range t.permissions {
		add(again.Set(i))
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

// Append appends the message that brings the row of one of the ids to what is permitted:
// nothing, if the client surely has it.
func (c *Change) Append(dst []byte, permitted authz.Grants, id string) []byte {
	t := c.table
	now := t.rowOf(permitted, id)
	surely := t.rowOf(c.held[0], id)
	certain, maybe := true, surely != 0
	for _, g := range c.held[1:] {
		r := t.rowOf(g, id)
		certain = certain && r == surely
		maybe = maybe || r != 0
	}
	if t.rowOf(c.again, id) != 0 {
		certain = false
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
