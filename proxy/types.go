package proxy

import (
	"errors"
	"fmt"
)

// errFilterType says that a filter's column is of a type whose values are not
// spelled as object ids could be: two spellings of one value, or none at all.
var errFilterType = errors.New("filter column has a type that cannot hold object ids")

// filterTypes are the types of columns that filters can be laid on. Each prints
// a value in one way only, so that SQL and the log agree on what equals an id.
var filterTypes = map[string]bool{
	"uuid": true, "text": true, "varchar": true,
	"int2": true, "int4": true, "int8": true,
}

// checkFilterTypes makes sure that the shape's filters can be laid on their
// columns as the table has them.
func (s *shape) checkFilterTypes() error {
	table := s.table.Load()
	for _, f := range s.def.Authorize.Filter {
		c, ok := table.Columns[f.Column]
		if !ok || c.Dims > 0 || !filterTypes[c.Type] {
			return fmt.Errorf("shape %s, column %s (%s): %w", s.def.Name, f.Column, c.Type, errFilterType)
		}
	}
	return nil
}
