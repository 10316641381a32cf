package electrictest

import (
	"errors"
	"fmt"
	"slices"
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
