package schema

import (
	"fmt"
	"slices"
)

// IndexHints reports the columns of a shape's filter that begin no index of its table.
// indexed are those that begin one, as a key does.
func (s Shape) IndexHints(indexed []string) []*Error {
	var hints []*Error
	for i, f := range s.Authorize.Filter {
		if slices.Contains(indexed, f.Column) {
			continue
		}
		hints = append(hints, errorf(s.origin, fmt.Sprintf("shapes.%s.authorize.filter[%d].column", s.Name, i),
			"no index begins with the column %q, so that Postgres reads all of the table for each read of rows by their ids: CREATE INDEX ON %s (%s)",
			f.Column, s.Table, QuoteIdentifier(f.Column)))
	}
	return hints
}
