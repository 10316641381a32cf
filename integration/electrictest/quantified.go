package electrictest

import pg "github.com/pganalyze/pg_query_go/v6"

// in is a IN (list) or a NOT IN (list).
func (c operation) in(op string) (*expr, error) {
	left, err := c.expr(c.n.Lexpr)
	if err != nil {
		return nil, err
	}
	items, err := c.exprs(c.n.Rexpr.GetList().GetItems())
	if err != nil {
		return nil, err
	}
	var out *expr
	for _, item := range items {
		equal, err := c.binary("=", c.n.Location, left, item)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = equal
			continue
		}
		ids := joinIDs(out.ids, equal.ids)
		out = orExpr(c.n.Location, out, equal)
		out.ids = ids
	}
	if op == "<>" {
		out = notExpr(c.n.Location, out)
	}
	return out, nil
}

// anyOrAll is a op ANY(array) or a op ALL(array). A constant array is made into
// a set once, so that a query over 200,000 ids is a look-up per row.
func (c operation) anyOrAll(op string) (*expr, error) {
	args, err := c.exprs([]*pg.Node{c.n.Lexpr, c.n.Rexpr})
	if err != nil {
		return nil, err
	}
	left, right, loc := args[0], args[1], c.n.Location
	holds, isComparison := comparisons[op]
	matches, isMatch := patterns[op]
	if !isComparison && !isMatch {
		return nil, sqlErrorf(loc, "unknown binary operator %s", op)
	}
	switch {
	case left.untyped() && right.untyped():
		left, err = c.give(left, typeText)
	case left.untyped():
		left, err = c.give(left, right.typ.element())
	}
	if err != nil {
		return nil, err
	}
	if right, err = c.give(right, typ{name: left.typ.name, array: true}); err != nil {
		return nil, err
	}
	if !right.typ.array {
		return nil, sqlErrorf(right.loc, "argument of ANY must be an array")
	}
	t, ok := commonType(left.typ, right.typ.element())
	if !ok || t.kind() == kindOpaque || isMatch && t.kind() != kindText || t.kind() == kindBool && op != "=" && op != "<>" {
		return nil, sqlErrorf(loc, "Could not select an operator overload")
	}
	left, right = convert(left, t), convertArray(right, t)
	all := c.n.Kind == pg.A_Expr_Kind_AEXPR_OP_ALL
	if right.constant() && !right.value.null && (op == "=" && !all || op == "<>" && all) {
		e := membership(loc, t, left, right.value.list, all)
		if !all {
			e.ids = c.scope.keyList(left, right)
		}
		return e, nil
	}
	k := t.kind()
	if isComparison {
		matches = func(x, y datum) bool { return holds(compareDatums(k, x, y)) }
	}
	return computed(typeBool, loc, []*expr{left, right}, func(cells []cell) datum {
		x, y := left.get(cells), right.get(cells)
		switch {
		case y.null:
			return sqlNull
		case len(y.list) == 0: // even for NULL
			return boolDatum(all)
		case x.null:
			return sqlNull
		}
		unknown := false
		for _, d := range y.list {
			switch {
			case d.null:
				unknown = true
			case matches(x, d) != all:
				return boolDatum(!all)
			}
		}
		if unknown {
			return sqlNull
		}
		return boolDatum(all)
	}), nil
}

// membership is left = ANY(list), or left <> ALL(list) where negated.
func membership(loc int32, t typ, left *expr, list []datum, negated bool) *expr {
	if len(list) == 0 { // even for NULL
		return constExpr(typeBool, loc, boolDatum(negated))
	}
	k := t.kind()
	unknown := false
	var ints map[int64]struct{}
	var floats map[float64]struct{}
	var texts map[string]struct{}
	switch k {
	case kindFloat:
		floats = make(map[float64]struct{}, len(list))
	case kindText, kindUUID:
		texts = make(map[string]struct{}, len(list))
	default:
		ints = make(map[int64]struct{}, len(list))
	}
	for _, d := range list {
		switch {
		case d.null:
			unknown = true
		case k == kindFloat:
			floats[d.f] = struct{}{}
		case k == kindText || k == kindUUID:
			texts[d.s] = struct{}{}
		default:
			ints[d.i] = struct{}{}
		}
	}
	return strict1(typeBool, loc, left, func(d datum) datum {
		var found bool
		switch k {
		case kindFloat:
			_, found = floats[d.f]
		case kindText, kindUUID:
			_, found = texts[d.s]
		default:
			_, found = ints[d.i]
		}
		if !found && unknown {
			return sqlNull
		}
		return boolDatum(found != negated)
	})
}
