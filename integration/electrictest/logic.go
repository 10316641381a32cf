package electrictest

import pg "github.com/pganalyze/pg_query_go/v6"

// logic compiles what is made of booleans, and what tests for NULL.
type logic struct{ *compiler }

// join is AND, OR and NOT.
func (c logic) join(n *pg.BoolExpr) (*expr, error) {
	args, err := c.exprs(n.Args)
	if err != nil {
		return nil, err
	}
	for i, a := range args {
		if args[i], err = c.give(a, typeBool); err != nil {
			return nil, err
		}
		if args[i].typ != typeBool {
			return nil, sqlErrorf(a.loc, "expression of type %s is not castable to bool", a.typ)
		}
	}
	join := andExpr
	switch n.Boolop {
	case pg.BoolExprType_NOT_EXPR:
		return notExpr(n.Location, args[0]), nil
	case pg.BoolExprType_OR_EXPR:
		join = orExpr
	}
	out := args[0]
	for _, a := range args[1:] {
		out = join(n.Location, out, a)
	}
	return out, nil
}

// isNull is IS NULL and IS NOT NULL.
func (c logic) isNull(n *pg.NullTest) (*expr, error) {
	arg, err := c.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	if arg, err = c.give(arg, typeText); err != nil {
		return nil, err
	}
	want := n.Nulltesttype == pg.NullTestType_IS_NULL
	return computed(typeBool, n.Location, []*expr{arg}, func(cells []cell) datum {
		if arg.column >= 0 { // without reading the value
			return boolDatum(cells[arg.column].null() == want)
		}
		return boolDatum(arg.get(cells).null == want)
	}), nil
}

// is is IS TRUE, IS FALSE and IS UNKNOWN, and IS NOT with each.
func (c logic) is(n *pg.BooleanTest) (*expr, error) {
	arg, err := c.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	if arg, err = c.give(arg, typeBool); err != nil {
		return nil, err
	}
	if arg.typ != typeBool {
		return nil, sqlErrorf(n.Location, "argument of IS must be bool, not %s", arg.typ)
	}
	var test func(datum) bool
	switch n.Booltesttype {
	case pg.BoolTestType_IS_TRUE:
		test = datum.isTrue
	case pg.BoolTestType_IS_NOT_TRUE:
		test = func(d datum) bool { return !d.isTrue() }
	case pg.BoolTestType_IS_FALSE:
		test = datum.isFalse
	case pg.BoolTestType_IS_NOT_FALSE:
		test = func(d datum) bool { return !d.isFalse() }
	case pg.BoolTestType_IS_UNKNOWN:
		test = func(d datum) bool { return d.null }
	default:
		test = func(d datum) bool { return !d.null }
	}
	return computed(typeBool, n.Location, []*expr{arg}, func(cells []cell) datum {
		return boolDatum(test(arg.get(cells)))
	}), nil
}

func andExpr(loc int32, a, b *expr) *expr {
	e := computed(typeBool, loc, []*expr{a, b}, func(cells []cell) datum {
		x := a.get(cells)
		if x.isFalse() {
			return x
		}
		y := b.get(cells)
		if y.isFalse() || x.isTrue() {
			return y
		}
		return sqlNull
	})
	switch {
	case a.ids == nil || b.ids != nil && len(b.ids.texts) < len(a.ids.texts):
		e.ids = b.ids
	default:
		e.ids = a.ids
	}
	return e
}

func orExpr(loc int32, a, b *expr) *expr {
	return computed(typeBool, loc, []*expr{a, b}, func(cells []cell) datum {
		x := a.get(cells)
		if x.isTrue() {
			return x
		}
		y := b.get(cells)
		if y.isTrue() || x.isFalse() {
			return y
		}
		return sqlNull
	})
}

func notExpr(loc int32, a *expr) *expr {
	return strict1(typeBool, loc, a, func(d datum) datum { return boolDatum(d.i == 0) })
}

// distinctExpr is a IS DISTINCT FROM b, or its negation.
func distinctExpr(loc int32, a, b, unequal *expr, negated bool) *expr {
	return computed(typeBool, loc, []*expr{a, b}, func(cells []cell) datum {
		x, y := a.get(cells), b.get(cells)
		distinct := x.null != y.null
		if !x.null && !y.null {
			distinct = unequal.get(cells).isTrue()
		}
		return boolDatum(distinct != negated)
	})
}
