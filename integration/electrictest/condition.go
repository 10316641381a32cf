package electrictest

import (
	"errors"
	"fmt"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// condition is a where clause that was validated: its tree, its parameters with
// the types that their use gave them, and the means to evaluate it.
type condition struct {
	clause *whereClause
	params map[int32]*param
	expr   *expr
}

// compileCondition parses and validates a where clause. The error is Electric's
// text for it.
func compileCondition(text string, values map[string]string, s scope, subqueries string) (*condition, error) {
	clause, err := parseWhere(text)
	if err != nil {
		return nil, err
	}
	if clause.hasSubquery() {
		return nil, errors.New(subqueries)
	}
	return clause.compile(newParams(values), s)
}

func (w *whereClause) compile(params map[int32]*param, s scope) (*condition, error) {
	c := compiler{rules: rules{scope: s}, params: params}
	e, err := c.boolean(w.node)
	if err != nil {
		return nil, errors.New(located(err, int32(len(wherePrefix))))
	}
	return &condition{clause: w, params: params, expr: e}, nil
}

// holds reports whether the condition is true for a row: neither false nor NULL.
// The nil condition always is.
func (c *condition) holds(r *row) bool { return c == nil || c.expr.get(r.cells).isTrue() }

// and returns base AND (subset), joined as Electric joins them: as text, with the
// base printed from its tree and without parentheses around it. Where the base
// is an OR at its top, the subset binds to its last branch alone, and the others
// let rows pass that are not in the subset: what Electric 1.7.12 does, and what
// a proxy must not run into.
func (c *condition) and(subset *condition, s scope) (*condition, error) {
	if c == nil {
		return subset, nil
	}
	if subset == nil {
		return c, nil
	}
	base, err := c.clause.deparse()
	if err != nil {
		return nil, err
	}
	shift := int32(0)
	for n := range c.params {
		shift = max(shift, n)
	}
	restriction, err := subset.clause.renumbered(shift).deparse()
	if err != nil {
		return nil, err
	}
	clause, err := parseWhere(base + " AND (" + restriction + ")")
	if err != nil {
		return nil, err
	}
	params := make(map[int32]*param, len(c.params)+len(subset.params))
	for n, p := range c.params {
		params[n] = p
	}
	for n, p := range subset.params {
		params[n+shift] = p
	}
	return clause.compile(params, s)
}

// identity spells the condition with its parameters, so that two conditions with
// the same identity are the same shape's.
func (c *condition) identity() (string, error) {
	if c == nil {
		return "", nil
	}
	text, err := c.clause.deparse()
	if err != nil {
		return "", err
	}
	numbers := make([]int32, 0, len(c.params))
	for n := range c.params {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		text += fmt.Sprintf("\x00$%d=%s", n, *c.params[n].text)
	}
	return text, nil
}

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
