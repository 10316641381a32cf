package subset

import "strings"

// quantifier is an operator with ANY or ALL.
type quantifier struct {
	op  string
	all bool
}

func (q quantifier) String() string {
	if q.all {
		return q.op + " ALL"
	}
	return q.op + " ANY"
}

// negated reports whether the operator is one that says NOT.
func (q quantifier) negated() bool { return q.op == "<>" || strings.HasPrefix(q.op, "NOT ") }

func (q quantifier) of(arg, array node) node {
	return newExpr(quantifiedForm, q.String(), guarded(arg), array)
}

// withConstant returns the comparison of a value with the elements of an array that is
// the same for every row. Elements that are not of the value's type equal no value, and
// match none.
func (q quantifier) withConstant(arg operand, array constantArray) (node, error) {
	if arg.fixed {
		return nil, refuseWhere("a side of ANY or ALL must hold a column")
	}
	if isLike(q.op) {
		var err error
		if arg, err = arg.asText(); err != nil {
			return nil, err
		}
	}
	if needsOrder(q.op) && !familyOf(arg.typ).ordered() {
		return nil, errNoOrder(arg.typ)
	}
	arg.meetConstant(operand{untyped: true})
	typ, err := unify(&arg)
	if err != nil {
		return nil, err
	}
	dropped, err := array.become(typ)
	if err != nil {
		return nil, err
	}
	if isLike(q.op) {
		dropped += array.dropOpenPatterns()
	}
	switch empty := len(array.elements) == 0; {
	case dropped > 0 && needsOrder(q.op):
		return nil, refuse(array.field, "holds an element that is not a value of type "+typ)
	case dropped > 0 && q.negated() && (!q.all || empty):
		return always(arg.node), nil
	case dropped > 0 && !q.negated() && (q.all || empty):
		return never(arg.node), nil
	}
	return q.of(arg.node, array.node(typ)), nil
}

// withColumn returns the comparison of a value with the elements of a column of arrays.
func (q quantifier) withColumn(arg, array operand) (node, error) {
	elements := array
	elements.array = false
	switch {
	case arg.array:
		return nil, refuseWhere("an array is no element of an array")
	case isLike(q.op):
		return nil, refuseWhere("the pattern of LIKE ANY and LIKE ALL must be a constant")
	}
	typ, err := settle(&arg, &elements)
	if err != nil {
		return nil, err
	}
	switch {
	case needsOrder(q.op) && !familyOf(typ).ordered():
		return nil, errNoOrder(typ)
	case arg.misfit == nil:
	case q == quantifier{"=", false}:
		return never(array.node), nil
	case q == quantifier{"<>", true}:
		return always(array.node), nil
	default:
		return nil, arg.notOfType()
	}
	return q.of(arg.node, array.node), nil
}
