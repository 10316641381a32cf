package subset

import (
	"bytes"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// OrderBy is a client's order: columns, and nothing else.
type OrderBy struct{ keys []sortKey }

type sortKey struct {
	column     string
	descending bool
	nulls      string // " NULLS FIRST", " NULLS LAST" or nothing
}

// SQL prints the order. It holds no parameters.
func (o *OrderBy) SQL() string {
	var b bytes.Buffer
	for i, k := range o.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		writeQuoted(&b, '"', k.column)
		if k.descending {
			b.WriteString(" DESC")
		}
		b.WriteString(k.nulls)
	}
	return b.String()
}

// maxSortKeys is far more than an index has columns.
const maxSortKeys = 32

func parseOrderBy(sql string, table *Table) (*OrderBy, error) {
	if err := checkTokens("order_by", sql, maxOrderBy); err != nil {
		return nil, err
	}
	sort, err := parseSort(sql)
	if err != nil {
		return nil, err
	}
	if len(sort) > maxSortKeys {
		return nil, refusef("order_by", "has more than %d columns", maxSortKeys)
	}
	o := &OrderBy{keys: make([]sortKey, len(sort))}
	for i, n := range sort {
		if o.keys[i], err = sortKeyOf(n.GetSortBy(), table); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func sortKeyOf(by *pg.SortBy, table *Table) (sortKey, error) {
	name, ok := table.nameOf(by.GetNode())
	if !ok {
		return sortKey{}, refuse("order_by", "is not a list of columns")
	}
	if _, known := table.Columns[name]; !known {
		return sortKey{}, refusef("order_by", "unknown column %s", shown(name))
	}
	k := sortKey{column: name}
	switch by.SortbyDir {
	case pg.SortByDir_SORTBY_DEFAULT, pg.SortByDir_SORTBY_ASC:
	case pg.SortByDir_SORTBY_DESC:
		k.descending = true
	default:
		return sortKey{}, refuse("order_by", "USING is not allowed")
	}
	switch by.SortbyNulls {
	case pg.SortByNulls_SORTBY_NULLS_DEFAULT:
	case pg.SortByNulls_SORTBY_NULLS_FIRST:
		k.nulls = " NULLS FIRST"
	case pg.SortByNulls_SORTBY_NULLS_LAST:
		k.nulls = " NULLS LAST"
	default:
		return sortKey{}, refuse("order_by", "is not a list of columns")
	}
	return k, nil
}
