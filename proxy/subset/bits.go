package subset

// bits returns a & b, a | b or a # b of integers. None of them can overflow.
func bits(op string, left, right operand) (operand, error) {
	typ, err := unify(&left, &right)
	if err != nil {
		return operand{}, err
	}
	if familyOf(typ) != integer || left.fixed && right.fixed {
		return operand{}, errBits(op)
	}
	return operand{node: infix(op, left.node, right.node), typ: typ}, nil
}

// complement returns ~a.
func complement(o operand) (operand, error) {
	if o.untyped || o.array || familyOf(o.typ) != integer {
		return operand{}, errBits("~")
	}
	return operand{node: prefix("~", o.node), typ: o.typ}, nil
}

func errBits(op string) error {
	return refusef("where", "the operator %s takes integers, and a column among them", shown(op))
}
