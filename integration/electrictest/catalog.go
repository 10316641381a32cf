package electrictest

import "fmt"

// catalog finds tables by their names. The database's lock guards it.
type catalog struct {
	tables     map[relation]*table
	partitions map[relation]*table // their root tables
}

func newCatalog() catalog {
	return catalog{tables: make(map[relation]*table), partitions: make(map[relation]*table)}
}

// taken reports whether there is a table or a partition of a name.
func (c *catalog) taken(rel relation) bool {
	_, isTable := c.tables[rel]
	_, isPart := c.partitions[rel]
	return isTable || isPart
}

// find returns a table to read or write. A partition is found through its root alone.
func (c *catalog) find(rel relation) (*table, error) {
	t, ok := c.tables[rel]
	if _, isPart := c.partitions[rel]; isPart {
		return nil, fmt.Errorf("relation %s is a partition: only writes to its root are imitated", rel)
	}
	if !ok {
		return nil, fmt.Errorf("relation %s does not exist", rel)
	}
	return t, nil
}

// named is find by a name as Electric's table parameter has it.
func (c *catalog) named(name string) (*table, error) {
	rel, err := parseRelation(name)
	if err != nil {
		return nil, err
	}
	return c.find(rel)
}
