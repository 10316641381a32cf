package electrictest

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// compiler turns a parsed expression into one that can be evaluated, and refuses
// what Electric 1.7.12 refuses: its operators, functions and casts are a small
// part of Postgres'.
type compiler struct {
	rules
	params map[int32]*param
}

// rules make expressions of expressions: they give literals their types, and choose
// operators by types.
type rules struct {
	scope scope

	// statement says that the expression stands in an INSERT or UPDATE of Exec,
	// where Postgres' own functions may be used.
	statement bool
}

// scope is the columns that an expression may name.
type scope struct {
	column func(name string) (index int, t typ, ok bool)
	key    int // the column that alone is the primary key, or -1
}

// param is the value of $n. Its first use gives it a type; any later one must
// agree.
type param struct {
	text  *string // nil is NULL
	typed *expr
}

// newParams numbers values by the names that a client gave them: "1", "2", ….
func newParams(values map[string]string) map[int32]*param {
	params := make(map[int32]*param, len(values))
	for name, text := range values {
		if n, err := strconv.ParseInt(name, 10, 32); err == nil {
			params[int32(n)] = &param{text: &text}
		}
	}
	return params
}

// boolean compiles a where clause.
func (c *compiler) boolean(n *pg.Node) (*expr, error) {
	e, err := c.expr(n)
	if err != nil {
		return nil, err
	}
	if e.typ != typeBool {
		return nil, errNotBoolean
	}
	return e, nil
}

var errNotBoolean = errors.New("WHERE clause must return a boolean")

func (c *compiler) expr(n *pg.Node) (*expr, error) {
	switch n := n.GetNode().(type) {
	case *pg.Node_AConst:
		return constant(n.AConst)
	case *pg.Node_ColumnRef:
		return c.columnRef(n.ColumnRef)
	case *pg.Node_ParamRef:
		return c.paramRef(n.ParamRef)
	case *pg.Node_BoolExpr:
		return c.boolExpr(n.BoolExpr)
	case *pg.Node_AExpr:
		return operation{c, n.AExpr}.compile()
	case *pg.Node_NullTest:
		return c.nullTest(n.NullTest)
	case *pg.Node_BooleanTest:
		return c.booleanTest(n.BooleanTest)
	case *pg.Node_TypeCast:
		return c.cast(n.TypeCast)
	case *pg.Node_FuncCall:
		return c.funcCall(n.FuncCall)
	case *pg.Node_CoalesceExpr:
		return c.coalesce(n.CoalesceExpr.Args, n.CoalesceExpr.Location)
	case *pg.Node_MinMaxExpr:
		return c.extreme(n.MinMaxExpr)
	case *pg.Node_AArrayExpr:
		return c.array(n.AArrayExpr)
	case *pg.Node_AIndirection:
		return c.subscript(n.AIndirection)
	case *pg.Node_SqlvalueFunction:
		if c.statement {
			return clock(n.SqlvalueFunction)
		}
		return nil, sqlErrorf(n.SqlvalueFunction.Location, "SQLValueFunction is not supported in this context")
	case *pg.Node_SubLink:
		return nil, sqlErrorf(n.SubLink.Location, "subqueries are not imitated")
	default:
		return nil, sqlErrorf(0, "%T is not supported in this context", n)
	}
}

func (c *compiler) exprs(nodes []*pg.Node) ([]*expr, error) {
	list := make([]*expr, len(nodes))
	for i, n := range nodes {
		var err error
		if list[i], err = c.expr(n); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func constant(n *pg.A_Const) (*expr, error) {
	loc := n.Location
	if n.Isnull {
		return &expr{loc: loc, column: -1}, nil
	}
	switch v := n.Val.(type) {
	case *pg.A_Const_Ival:
		return constExpr(typeInt4, loc, datum{i: int64(v.Ival.Ival)}), nil
	case *pg.A_Const_Fval: // whatever is too long for an int4, integers included
		if i, err := strconv.ParseInt(v.Fval.Fval, 10, 64); err == nil {
			return constExpr(typeInt8, loc, datum{i: i}), nil
		}
		f, err := strconv.ParseFloat(v.Fval.Fval, 64)
		if err != nil {
			return nil, sqlErrorf(loc, "invalid number %s", v.Fval.Fval)
		}
		return constExpr(typeNum, loc, datum{f: f}), nil
	case *pg.A_Const_Boolval:
		return constExpr(typeBool, loc, boolDatum(v.Boolval.Boolval)), nil
	case *pg.A_Const_Sval:
		return &expr{loc: loc, literal: &v.Sval.Sval, column: -1}, nil
	default:
		return nil, sqlErrorf(loc, "BitString values are not supported")
	}
}

func (c *compiler) columnRef(n *pg.ColumnRef) (*expr, error) {
	last := n.Fields[len(n.Fields)-1].GetString_()
	if last == nil {
		return nil, sqlErrorf(n.Location, "A_Star is not supported in this context")
	}
	if len(n.Fields) == 1 || c.statement {
		if i, t, ok := c.scope.column(last.Sval); ok {
			return columnExpr(i, t, n.Location), nil
		}
	}
	return nil, sqlErrorf(n.Location, "unknown reference %s", displayName(n.Fields))
}

func columnExpr(i int, t typ, loc int32) *expr {
	return &expr{typ: t, loc: loc, column: i, eval: func(cells []cell) datum {
		if cells[i].null() {
			return sqlNull
		}
		return decode(t, cells[i].text)
	}}
}

// displayName spells a name in an error: quoted where it must be.
func displayName(parts []*pg.Node) string {
	out := ""
	for i, p := range parts {
		if i > 0 {
			out += "."
		}
		if s := p.GetString_().GetSval(); unquotedIdentifier.MatchString(s) && foldASCII(s) == s {
			out += s
		} else {
			out += quoteIdentifier(s)
		}
	}
	return out
}

func (c *compiler) paramRef(n *pg.ParamRef) (*expr, error) {
	p, ok := c.params[n.Number]
	if !ok {
		return nil, sqlErrorf(n.Location, "parameter $%d was not provided", n.Number)
	}
	if p.typed != nil {
		e := *p.typed
		e.loc = n.Location
		return &e, nil
	}
	return &expr{loc: n.Location, literal: p.text, param: p, column: -1}, nil
}

// give turns a literal without a type into a constant of one.
func (c *rules) give(e *expr, t typ) (*expr, error) {
	if !e.untyped() {
		return e, nil
	}
	if e.param != nil && e.param.typed != nil { // used twice in one expression
		if e.param.typed.typ != t {
			return nil, fmt.Errorf("type conflict for parameter: %s and %s", t, e.param.typed.typ)
		}
		return e.param.typed, nil
	}
	out := constExpr(t, e.loc, sqlNull)
	if e.literal != nil {
		d, err := parseConst(t, *e.literal)
		if err != nil && c.statement {
			var text string
			if text, err = (columnType{typ: t}).canonical(*e.literal); err == nil {
				d = decode(t, text)
			}
		}
		if err != nil {
			return nil, sqlErrorf(e.loc, "invalid syntax for type %s: %s", t, *e.literal)
		}
		out.value = d
	}
	if e.param != nil {
		e.param.typed = out
	}
	return out, nil
}

// unify gives the literals among the expressions the type of the others, text if
// there are none, and returns the type that they have in common.
func (c *rules) unify(loc int32, list []*expr) (typ, error) {
	common := typ{}
	for _, e := range list {
		switch {
		case e.untyped():
		case common.name == "":
			common = e.typ
		default:
			t, ok := commonType(common, e.typ)
			if !ok {
				return typ{}, sqlErrorf(loc, "Could not select an operator overload")
			}
			common = t
		}
	}
	if common.name == "" {
		common = typeText
	}
	for i, e := range list {
		var err error
		if list[i], err = c.give(e, common); err != nil {
			return typ{}, err
		}
		list[i] = convert(list[i], common)
	}
	return common, nil
}

// commonType returns the type that both are implicitly cast to.
func commonType(a, b typ) (typ, bool) {
	if a == b {
		return a, true
	}
	if a.array || b.array {
		return typ{}, false
	}
	ka, kb := a.kind(), b.kind()
	switch {
	case ka == kindText && kb == kindText:
		return typeText, true
	case ka == kindInt && kb == kindInt:
		return typeInt8, true
	case a.numeric() && b.numeric():
		return typeFloat, true
	case ka == kindDate && kb == kindTimestamp, ka == kindTimestamp && kb == kindDate:
		return typ{name: "timestamp"}, true
	default:
		return typ{}, false
	}
}

// convert casts between types that commonType joins.
func convert(e *expr, t typ) *expr {
	if e.typ.kind() == kindInt && t.kind() == kindFloat {
		return strict1(t, e.loc, e, func(d datum) datum { return datum{f: float64(d.i)} })
	}
	return e
}

func (c *compiler) boolExpr(n *pg.BoolExpr) (*expr, error) {
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

func (c *compiler) nullTest(n *pg.NullTest) (*expr, error) {
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

func (c *compiler) booleanTest(n *pg.BooleanTest) (*expr, error) {
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

// array is ARRAY[…].
func (c *compiler) array(n *pg.A_ArrayExpr) (*expr, error) {
	elements, err := c.exprs(n.Elements)
	if err != nil {
		return nil, err
	}
	t, err := c.unify(n.Location, elements)
	if err != nil {
		return nil, err
	}
	if t.array {
		return nil, sqlErrorf(n.Location, "arrays of several dimensions are not imitated")
	}
	return computed(typ{name: t.name, array: true}, n.Location, elements, func(cells []cell) datum {
		list := make([]datum, len(elements))
		for i, e := range elements {
			list[i] = e.get(cells)
		}
		return datum{list: list}
	}), nil
}

// subscript is a[1]: an element, NULL where there is none.
func (c *compiler) subscript(n *pg.A_Indirection) (*expr, error) {
	arg, err := c.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	at := n.Indirection[0].GetAIndices()
	if len(n.Indirection) != 1 || at.GetUidx() == nil || at.IsSlice || !arg.typ.array {
		return nil, sqlErrorf(arg.loc, "slices and subscripts of several dimensions are not imitated")
	}
	index, err := c.expr(at.Uidx)
	if err != nil {
		return nil, err
	}
	if index, err = c.give(index, typeInt8); err != nil {
		return nil, err
	}
	if index.typ.kind() != kindInt {
		return nil, sqlErrorf(index.loc, "%s cannot be matched to int8", index.typ)
	}
	return strict2(arg.typ.element(), arg.loc, arg, index, func(list, i datum) datum {
		if i.i < 1 || i.i > int64(len(list.list)) {
			return sqlNull
		}
		return list.list[i.i-1]
	}), nil
}

// castable are the types that Electric casts to.
var castable = map[string]bool{
	"bool": true, "date": true, "float4": true, "float8": true, "int2": true, "int4": true, "int8": true,
	"numeric": true, "text": true, "varchar": true, "time": true, "timestamp": true, "timestamptz": true, "uuid": true,
}

func (c *compiler) cast(n *pg.TypeCast) (*expr, error) {
	arg, err := c.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	t := typ{name: name(n.TypeName.Names), array: len(n.TypeName.ArrayBounds) > 0}
	if !castable[t.name] && !c.statement {
		return nil, sqlErrorf(n.TypeName.Location, "unsupported type %s", t.name)
	}
	if arg.untyped() {
		out, err := c.give(arg, t)
		var se *sqlError
		if errors.As(err, &se) {
			return nil, sqlErrorf(arg.loc, "could not cast value %q from text to %s", *arg.literal, t)
		}
		return out, err
	}
	return castExpr(arg, t)
}

// castExpr casts between types, by way of text where there is no shorter one. A
// value that is not of the type becomes NULL, where Postgres would fail.
func castExpr(arg *expr, t typ) (*expr, error) {
	from := arg.typ
	if from.array || t.array {
		return castArray(arg, t)
	}
	switch {
	case from == t, from.kind() == kindText && t.kind() == kindText,
		from.kind() == kindInt && t.kind() == kindInt && t == typeInt8:
		out := *arg
		out.typ = t
		return &out, nil
	case from.kind() == kindInt && t.kind() == kindFloat:
		return strict1(t, arg.loc, arg, func(d datum) datum { return datum{f: float64(d.i)} }), nil
	case from.kind() == kindFloat && t.kind() == kindInt:
		return strict1(t, arg.loc, arg, func(d datum) datum { return datum{i: int64(math.RoundToEven(d.f))} }), nil
	case from.kind() == kindBool && t.kind() == kindInt, from.kind() == kindInt && t.kind() == kindBool:
		return strict1(t, arg.loc, arg, func(d datum) datum {
			if t.kind() == kindBool {
				return boolDatum(d.i != 0)
			}
			return d
		}), nil
	case from.kind() != kindText && t.kind() != kindText && !(from.kind() == kindTimestamptz || from.kind() == kindTimestamp || from.kind() == kindDate):
		return nil, sqlErrorf(arg.loc, "unknown cast from type %s to type %s", from, t)
	}
	target := columnType{typ: t}
	return strict1(t, arg.loc, arg, func(d datum) datum {
		text, err := target.canonical(encode(from, d))
		if err != nil {
			return sqlNull
		}
		return decode(t, text)
	}), nil
}

// castArray casts an array of one type to an array of another, where both hold
// their values alike.
func castArray(arg *expr, t typ) (*expr, error) {
	from, to := arg.typ.element().kind(), t.element().kind()
	switch {
	case arg.typ == t:
	case !arg.typ.array || !t.array || from == kindOpaque,
		from != to && !(from == kindInt && to == kindFloat),
		from == kindInt && to == kindInt && t.name != "int8":
		return nil, sqlErrorf(arg.loc, "unknown cast from type %s to type %s", arg.typ, t)
	}
	out := *convertArray(arg, t.element())
	out.typ = t
	return &out, nil
}
