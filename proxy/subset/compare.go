package subset

// flipped are the comparisons with their sides changed.
var flipped = map[string]string{
	"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
	"IS DISTINCT FROM": "IS DISTINCT FROM", "IS NOT DISTINCT FROM": "IS NOT DISTINCT FROM",
}

func comparison(op string, left, right operand) (node, error) {
	if needsOrder(op) {
		for _, o := range []*operand{&left, &right} {
			if !o.untyped && !o.array && !familyOf(o.typ).ordered() && familyOf(o.typ) != incomparable {
				return nil, errNoOrder(o.typ)
			}
		}
	}
	left.meetConstant(right)
	right.meetConstant(left)
	if _, err := settle(&left, &right); err != nil {
		return nil, err
	}
	switch {
	case left.misfit != nil && right.fixed:
		return nil, left.notOfType()
	case right.misfit != nil && left.fixed:
		return nil, right.notOfType()
	case right.misfit != nil:
		return beside(op, left, right), nil
	case left.misfit != nil:
		return beside(flipped[op], right, left), nil
	}
	return infix(op, guarded(left.node), guarded(right.node)), nil
}

func needsOrder(op string) bool {
	switch op {
	case "<", "<=", ">", ">=":
		return true
	}
	return false
}

func errNoOrder(typ string) error { return refuseWhere("values of type " + typ + " have no order") }

// meetConstant makes text of an enum's column before it is compared with a constant:
// what is no value of the enum then matches no row, where Postgres would refuse the
// whole request.
func (o *operand) meetConstant(other operand) {
	if _, ok := o.node.(column); ok && familyOf(o.typ) == enum && !o.array && other.untyped && !other.null {
		*o = o.widened("text")
	}
}

// beside returns what becomes of a comparison with a value that is not of the type
// of o: an integer beside integers that it is greater than has an answer, and so
// has everything that asks whether they are equal.
func beside(op string, o, value operand) node {
	m := value.misfit
	switch {
	case op == "IS DISTINCT FROM":
		return yes
	case op == "IS NOT DISTINCT FROM":
		return no
	case op == "<>",
		m.side > 0 && (op == "<" || op == "<="),
		m.side < 0 && (op == ">" || op == ">="):
		return always(o.node)
	case m.floor == "" || op == "=":
		return never(o.node)
	}
	value.setText(m.floor)
	if op == "<" || op == "<=" {
		return infix("<=", guarded(o.node), value.node)
	}
	return infix(">", guarded(o.node), value.node)
}

// between returns a BETWEEN b AND c as the comparisons that it stands for: no printer
// can get those wrong.
func between(arg, a, b operand, symmetric bool) (node, error) {
	out, err := within(arg, a, b)
	if err != nil || !symmetric {
		return out, err
	}
	swapped, err := within(arg, b, a)
	return infix("OR", out, swapped), err
}

func within(arg, least, most operand) (node, error) {
	above, err := comparison(">=", arg, least)
	if err != nil {
		return nil, err
	}
	below, err := comparison("<=", arg, most)
	return infix("AND", flat("AND", above, below)...), err
}

// oneOf returns a IN (b, c), or NOT IN.
func oneOf(op string, arg operand, list []operand) (node, error) {
	args := make([]node, 1, 1+len(list))
	for i := range list {
		arg.meetConstant(list[i])
		if _, err := settle(&arg, &list[i]); err != nil {
			return nil, err
		}
		if list[i].misfit == nil {
			args = append(args, guarded(list[i].node))
		}
	}
	switch {
	case len(args) > 1:
		args[0] = guarded(arg.node)
		return newExpr(memberForm, op, args...), nil
	case op == "IN":
		return never(arg.node), nil
	}
	return always(arg.node), nil
}

// paramOneOf returns $1 IN (a, b), or NOT IN, as the comparisons that it stands for.
func paramOneOf(op string, arg operand, list []operand) (node, error) {
	arms := make([]node, len(list))
	for i, o := range list {
		var err error
		if arms[i], err = comparison("=", arg, o); err != nil {
			return nil, err
		}
	}
	out := arms[0]
	if len(arms) > 1 {
		out = infix("OR", flat("OR", arms...)...)
	}
	if op == "NOT IN" {
		return not(out), nil
	}
	return out, nil
}
