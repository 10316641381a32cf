package electrictest

import pg "github.com/pganalyze/pg_query_go/v6"

// operation is an operator with its operands, while it is compiled.
type operation struct {
	*compiler
	n *pg.A_Expr
}

func (c operation) compile() (*expr, error) {
	n := c.n
	op, loc := name(n.Name), n.Location
	switch n.Kind {
	case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE:
		if n.Lexpr == nil {
			return c.unary(op)
		}
		args, err := c.exprs([]*pg.Node{n.Lexpr, n.Rexpr})
		if err != nil {
			return nil, err
		}
		return c.binary(op, loc, args[0], args[1])
	case pg.A_Expr_Kind_AEXPR_DISTINCT, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		args, err := c.exprs([]*pg.Node{n.Lexpr, n.Rexpr})
		if err != nil {
			return nil, err
		}
		if _, err := c.unify(loc, args); err != nil {
			return nil, err
		}
		unequal, err := c.binary("<>", loc, args[0], args[1])
		if err != nil {
			return nil, err
		}
		return distinctExpr(loc, args[0], args[1], unequal, n.Kind == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT), nil
	case pg.A_Expr_Kind_AEXPR_IN:
		return c.in(op)
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		return c.anyOrAll(op)
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN,
		pg.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		return c.between()
	default:
		return nil, sqlErrorf(loc, "expression %s of %s is not currently supported", op, n.Kind)
	}
}

func (c operation) unary(op string) (*expr, error) {
	arg, err := c.expr(c.n.Rexpr)
	if err != nil {
		return nil, err
	}
	if arg, err = c.give(arg, typeFloat); err != nil {
		return nil, err
	}
	if op == "~" && arg.typ.kind() == kindInt {
		return strict1(arg.typ, c.n.Location, arg, func(d datum) datum { return datum{i: ^d.i} }), nil
	}
	if op != "+" && op != "-" {
		return nil, sqlErrorf(c.n.Location, "unknown unary operator %s", op)
	}
	if !arg.typ.numeric() {
		return nil, sqlErrorf(c.n.Location, "Could not select an operator overload")
	}
	if op == "+" {
		return arg, nil
	}
	return strict1(arg.typ, c.n.Location, arg, func(d datum) datum { return datum{i: -d.i, f: -d.f} }), nil
}

func (c *rules) binary(op string, loc int32, a, b *expr) (*expr, error) {
	args := []*expr{a, b}
	if holds, ok := comparisons[op]; ok {
		t, err := c.unify(loc, args)
		if err != nil {
			return nil, err
		}
		return c.compare(op, loc, t, args[0], args[1], holds)
	}
	switch op {
	case "~~", "!~~", "~~*", "!~~*":
		return c.match(op, loc, a, b)
	case "||":
		if err := c.texts(loc, args); err != nil {
			return nil, err
		}
		return strict2(typeText, loc, args[0], args[1], func(x, y datum) datum { return datum{s: x.s + y.s} }), nil
	case "+", "-", "*", "/":
		t, err := c.unify(loc, args)
		if err != nil {
			return nil, err
		}
		if !t.numeric() {
			return nil, sqlErrorf(loc, "Could not select an operator overload")
		}
		return arithmetic(op, loc, t, args[0], args[1]), nil
	case "&", "|", "#":
		return c.bits(op, loc, args)
	case "&&", "@>", "<@":
		return c.arrayOperator(op, loc, a, b)
	default:
		return nil, sqlErrorf(loc, "unknown binary operator %s", op)
	}
}

func (c operation) between() (*expr, error) {
	value, err := c.expr(c.n.Lexpr)
	if err != nil {
		return nil, err
	}
	bounds, err := c.exprs(c.n.Rexpr.GetList().GetItems())
	if err != nil {
		return nil, err
	}
	within := func(lo, hi *expr) (*expr, error) {
		above, err := c.binary("<=", c.n.Location, lo, value)
		if err != nil {
			return nil, err
		}
		below, err := c.binary("<=", c.n.Location, value, hi)
		if err != nil {
			return nil, err
		}
		return andExpr(c.n.Location, above, below), nil
	}
	out, err := within(bounds[0], bounds[1])
	if err != nil {
		return nil, err
	}
	switch c.n.Kind {
	case pg.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		swapped, err := within(bounds[1], bounds[0])
		if err != nil {
			return nil, err
		}
		out = orExpr(c.n.Location, out, swapped)
	}
	switch c.n.Kind {
	case pg.A_Expr_Kind_AEXPR_NOT_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		out = notExpr(c.n.Location, out)
	}
	return out, nil
}
