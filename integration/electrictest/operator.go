package electrictest

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

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

// comparisons says when an operator holds, by how its operands compare.
var comparisons = map[string]func(int) bool{
	"=":  func(c int) bool { return c == 0 },
	"<>": func(c int) bool { return c != 0 },
	"<":  func(c int) bool { return c < 0 },
	"<=": func(c int) bool { return c <= 0 },
	">":  func(c int) bool { return c > 0 },
	">=": func(c int) bool { return c >= 0 },
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

// compare refuses what Electric has no operator for: order among booleans and
// arrays, and anything at all about json, bytea and types that it does not know.
func (c *rules) compare(op string, loc int32, t typ, a, b *expr, holds func(int) bool) (*expr, error) {
	equality := op == "=" || op == "<>"
	if t.array && kinds[t.name] != kindOpaque && equality {
		element := t.element().kind()
		return strict2(typeBool, loc, a, b, func(x, y datum) datum {
			same := slices.EqualFunc(x.list, y.list, func(p, q datum) bool {
				return p.null == q.null && (p.null || compareDatums(element, p, q) == 0)
			})
			return boolDatum(same == (op == "="))
		}), nil
	}
	k := t.kind()
	if k == kindOpaque || k == kindBool && !equality {
		return nil, sqlErrorf(loc, "Could not select an operator overload")
	}
	e := strict2(typeBool, loc, a, b, func(x, y datum) datum { return boolDatum(holds(compareDatums(k, x, y))) })
	if op == "=" {
		e.ids = c.keySet(a, b)
	}
	return e, nil
}

// keySet returns the rows that a = b speaks of, where one side is the primary
// key and the other a constant.
func (c *rules) keySet(a, b *expr) *idSet {
	if b.column == c.scope.key && b.column >= 0 {
		a, b = b, a
	}
	if c.scope.key < 0 || a.column != c.scope.key || !b.constant() || !indexable(a.typ) || a.typ.kind() != b.typ.kind() {
		return nil
	}
	if b.value.null {
		return &idSet{}
	}
	return &idSet{texts: []string{encode(a.typ, b.value)}}
}

// indexable reports whether equal values of a type have equal texts.
func indexable(t typ) bool {
	switch t.kind() {
	case kindInt, kindUUID:
		return true
	case kindText:
		return t.name != "bpchar"
	default:
		return false
	}
}

func (c *rules) texts(loc int32, args []*expr) error {
	for i, a := range args {
		var err error
		if args[i], err = c.give(a, typeText); err != nil {
			return err
		}
		if args[i].typ.kind() != kindText {
			return sqlErrorf(loc, "Could not select an operator overload")
		}
	}
	return nil
}

func (c *rules) match(op string, loc int32, a, b *expr) (*expr, error) {
	args := []*expr{a, b}
	if err := c.texts(loc, args); err != nil {
		return nil, err
	}
	matches := patterns[op]
	return strict2(typeBool, loc, args[0], args[1], func(x, y datum) datum { return boolDatum(matches(x, y)) }), nil
}

// patterns are LIKE and its like.
var patterns = map[string]func(text, pattern datum) bool{
	"~~":   func(x, y datum) bool { return like(x.s, y.s) },
	"!~~":  func(x, y datum) bool { return !like(x.s, y.s) },
	"~~*":  func(x, y datum) bool { return ilike(x.s, y.s) },
	"!~~*": func(x, y datum) bool { return !ilike(x.s, y.s) },
}

// bits is an operator on the bits of integers.
func (c *rules) bits(op string, loc int32, args []*expr) (*expr, error) {
	t, err := c.unify(loc, args)
	if err != nil {
		return nil, err
	}
	if t.kind() != kindInt {
		return nil, sqlErrorf(loc, "Could not select an operator overload")
	}
	return strict2(t, loc, args[0], args[1], func(x, y datum) datum {
		switch op {
		case "&":
			return datum{i: x.i & y.i}
		case "|":
			return datum{i: x.i | y.i}
		default:
			return datum{i: x.i ^ y.i}
		}
	}), nil
}

func arithmetic(op string, loc int32, t typ, a, b *expr) *expr {
	integer := t.kind() == kindInt
	return strict2(t, loc, a, b, func(x, y datum) datum {
		switch op {
		case "+":
			return datum{i: x.i + y.i, f: x.f + y.f}
		case "-":
			return datum{i: x.i - y.i, f: x.f - y.f}
		case "*":
			return datum{i: x.i * y.i, f: x.f * y.f}
		}
		switch {
		case integer && y.i == 0, !integer && y.f == 0:
			return sqlNull // Postgres fails here
		case integer:
			return datum{i: x.i / y.i}
		default:
			return datum{f: x.f / y.f}
		}
	})
}

func (c *rules) arrayOperator(op string, loc int32, a, b *expr) (*expr, error) {
	args := []*expr{a, b}
	t, err := c.unify(loc, args)
	if err != nil {
		return nil, err
	}
	if !t.array {
		return nil, sqlErrorf(loc, "Could not select an operator overload")
	}
	if op == "<@" {
		args[0], args[1] = args[1], args[0]
	}
	k := t.element().kind()
	has := func(list []datum, d datum) bool {
		return !d.null && slices.ContainsFunc(list, func(e datum) bool { return !e.null && compareDatums(k, e, d) == 0 })
	}
	return strict2(typeBool, loc, args[0], args[1], func(x, y datum) datum {
		for _, d := range y.list {
			if has(x.list, d) == (op == "&&") {
				return boolDatum(op == "&&")
			}
		}
		return boolDatum(op != "&&")
	}), nil
}

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

func joinIDs(a, b *idSet) *idSet {
	if a == nil || b == nil {
		return nil
	}
	return &idSet{texts: append(slices.Clip(a.texts), b.texts...)}
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
			e.ids = c.keyList(left, right)
		}
		return e, nil
	}
	k := t.kind()
	if isComparison {
		matches = func(x, y datum) bool { return holds(compareDatums(k, x, y)) }
	}
	return strict2(typeBool, loc, left, right, func(x, y datum) datum {
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

func convertArray(e *expr, t typ) *expr {
	if e.typ.element().kind() != kindInt || t.kind() != kindFloat {
		return e
	}
	return strict1(typ{name: t.name, array: true}, e.loc, e, func(d datum) datum {
		list := make([]datum, len(d.list))
		for i, v := range d.list {
			list[i] = datum{null: v.null, f: float64(v.i)}
		}
		return datum{list: list}
	})
}

func (c *rules) keyList(left, right *expr) *idSet {
	if c.scope.key < 0 || left.column != c.scope.key || !indexable(left.typ) ||
		left.typ.kind() != right.typ.element().kind() {
		return nil
	}
	ids := &idSet{texts: make([]string, 0, len(right.value.list))}
	for _, d := range right.value.list {
		if !d.null {
			ids.texts = append(ids.texts, encode(left.typ, d))
		}
	}
	return ids
}

// membership is left = ANY(list), or left <> ALL(list) where negated.
func membership(loc int32, t typ, left *expr, list []datum, negated bool) *expr {
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
