package subset

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// bits reads a & b, a | b and a # b of integers. None of them can overflow.
func (r *reader) bits(op string, e *pg.A_Expr) (operand, error) {
	left, err := r.operand(e.Lexpr)
	if err != nil {
		return operand{}, err
	}
	right, err := r.operand(e.Rexpr)
	if err != nil {
		return operand{}, err
	}
	typ, err := unify(&left, &right)
	if err != nil {
		return operand{}, err
	}
	if familyOf(typ) != integer || left.fixed && right.fixed {
		return operand{}, errBits(op)
	}
	return operand{node: infix{op, left.node, right.node}, typ: typ}, nil
}

func (r *reader) complement(n *pg.Node) (operand, error) {
	o, err := r.operand(n)
	if err != nil {
		return operand{}, err
	}
	if o.untyped || o.array || familyOf(o.typ) != integer {
		return operand{}, errBits("~")
	}
	return operand{node: complement{o.node}, typ: o.typ}, nil
}

func errBits(op string) error {
	return refusef("where", "the operator %s takes integers, and a column among them", shown(op))
}
