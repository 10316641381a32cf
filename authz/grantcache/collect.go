package grantcache

import "github.com/shapegate/shapegate/authz"

// minTable is the number of ids below which a table is left alone.
const minTable = 1024

// collector forgets the ids that no current set holds.
type collector struct {
	shards     *shards
	tables     *tables
	remembered *remembered
	settler    *settler
}

// collect replaces the tables in which most ids are in no current set. The current sets
// move to the new table, each for itself. A set that a reader still has keeps its own
// table, and works as before. Grants of the past go with the old table.
func (c *collector) collect() {
	for resourceType, ids := range c.tables.withAtLeast(minTable) {
		if 2*c.live(ids) < ids.Len() {
			to := c.tables.replace(resourceType)
			c.remembered.forgetTable(ids)
			c.move(ids, to)
		}
	}
}

// live counts the ids of a table that current sets hold.
func (c *collector) live(ids *authz.IDs) int {
	var sets []*authz.GrantSet
	c.eachOf(ids, func(e *entry) { sets = append(sets, e.value.set) })
	var u authz.Union
	for _, set := range sets {
		u.Add(set)
	}
	return u.Len()
}

// move has the current sets of a table use another. A lookup that began before may still
// bring a set of the old one: the next collection moves it.
func (c *collector) move(from, to *authz.IDs) {
	var entries []*entry
	c.eachOf(from, func(e *entry) { entries = append(entries, e) })
	for _, e := range entries {
		e.shard.mu.Lock()
		set := e.value.set
		e.shard.mu.Unlock()
		moved := set.In(to)
		e.shard.mu.Lock()
		if e.value.set == set {
			c.settler.replace(e, moved)
		}
		e.shard.mu.Unlock()
	}
}

// eachOf calls do with every entry whose set is of a table, its shard locked.
func (c *collector) eachOf(ids *authz.IDs, do func(*entry)) {
	c.shards.each(func(s *shard) {
		for _, e := range s.entries {
			if e.value.set.IDs() == ids {
				do(e)
			}
		}
	})
}
