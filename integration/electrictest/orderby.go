package electrictest

import (
	"errors"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// sortKey is one term of an ORDER BY.
type sortKey struct {
	column     int
	typ        typ
	descending bool
	nullsFirst bool
}

// parseOrderBy reads an ORDER BY as Electric allows it: columns and constants,
// the latter without effect here.
func parseOrderBy(text string, s scope) ([]sortKey, error) {
	_, stmt, err := parseSelect(orderPrefix+text, "Unexpected `;` in order by")
	if err != nil {
		return nil, err
	}
	if hasOtherClauses(stmt) || stmt.WhereClause != nil {
		return nil, errors.New("malformed query ending with SQL clauses")
	}
	var keys []sortKey
	for _, node := range stmt.SortClause {
		by := node.GetSortBy()
		switch n := by.Node.GetNode().(type) {
		case *pg.Node_AConst:
			continue
		case *pg.Node_ColumnRef:
			c := compiler{rules: rules{scope: s}}
			e, err := c.columnRef(n.ColumnRef)
			if err != nil {
				return nil, errors.New(located(err, 0))
			}
			desc := by.SortbyDir == pg.SortByDir_SORTBY_DESC
			first := by.SortbyNulls == pg.SortByNulls_SORTBY_NULLS_FIRST ||
				by.SortbyNulls == pg.SortByNulls_SORTBY_NULLS_DEFAULT && desc
			keys = append(keys, sortKey{e.column, e.typ, desc, first})
		case *pg.Node_ParamRef:
			return nil, errors.New(located(sqlErrorf(n.ParamRef.Location,
				"parameter $%d is not supported in ORDER BY clauses", n.ParamRef.Number), 0))
		default:
			return nil, errors.New(located(sqlErrorf(int32(len(orderPrefix)),
				"%T expressions are not allowed in ORDER BY clauses", n), 0))
		}
	}
	return keys, nil
}

// sortRows orders rows; equal ones keep their order. Text is ordered by its
// bytes.
func sortRows(rows []*row, keys []sortKey) {
	if len(keys) == 0 {
		return
	}
	type keyed struct {
		row    *row
		values []datum
	}
	list := make([]keyed, len(rows))
	values := make([]datum, len(rows)*len(keys))
	for i, r := range rows {
		list[i] = keyed{r, values[i*len(keys) : (i+1)*len(keys)]}
		for j, k := range keys {
			if c := r.cells[k.column]; c.null() {
				list[i].values[j] = sqlNull
			} else {
				list[i].values[j] = decode(k.typ, c.text)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		for j, k := range keys {
			if c := k.compare(a.values[j], b.values[j]); c != 0 {
				return c
			}
		}
		return 0
	})
	for i := range list {
		rows[i] = list[i].row
	}
}

func (k sortKey) compare(a, b datum) int {
	switch {
	case a.null && b.null:
		return 0
	case a.null != b.null:
		if a.null == k.nullsFirst {
			return -1
		}
		return 1
	}
	c := compareDatums(k.typ.kind(), a, b)
	if k.descending {
		return -c
	}
	return c
}
