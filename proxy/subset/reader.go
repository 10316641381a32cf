package subset

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// reader turns a tree of Postgres' parser into one of this package. What it does
// not know, it refuses.
type reader struct {
	columns Columns
	values  map[int]string // of the parameters, as the client numbers them
	params  map[paramKey]*param
	used    int // bytes of values, each counted whenever it is referred to
}

// maxUsed bounds the work that references to long values can make: each is
// checked, arrays are read, some values become part of the SQL.
const maxUsed = 8 << 20

// paramKey tells parameters apart. One that is used as a value and as an array
// goes upstream twice, since arrays are printed anew.
type paramKey struct {
	number int
	array  bool
}

func (r *reader) param(key paramKey, value string) *param {
	p, ok := r.params[key]
	if !ok {
		p = &param{value, key.array}
		r.params[key] = p
	}
	return p
}

// condition reads an expression that stands for true or false.
func (r *reader) condition(n *pg.Node) (node, error) {
	o, err := r.operand(n)
	if err != nil {
		return nil, err
	}
	return o.asCondition()
}

// operand reads any expression.
func (r *reader) operand(n *pg.Node) (operand, error) {
	switch e := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return r.column(n)
	case *pg.Node_ParamRef:
		return r.paramRef(e.ParamRef)
	case *pg.Node_AConst:
		return constant(e.AConst)
	case *pg.Node_TypeCast:
		return r.typeCast(e.TypeCast)
	case *pg.Node_BoolExpr:
		return truth(r.boolExpr(e.BoolExpr))
	case *pg.Node_NullTest:
		return truth(r.nullTest(e.NullTest))
	case *pg.Node_BooleanTest:
		return truth(r.booleanTest(e.BooleanTest))
	case *pg.Node_AExpr:
		return r.operator(n, e.AExpr)
	case *pg.Node_CoalesceExpr:
		return r.coalesce(e.CoalesceExpr)
	case *pg.Node_FuncCall:
		return r.function(e.FuncCall)
	}
	return operand{}, refuseWhere(describe(n) + " is not allowed")
}

// describe names what people are most likely to try.
func describe(n *pg.Node) string {
	switch n.GetNode().(type) {
	case *pg.Node_SubLink:
		return "a subquery"
	case *pg.Node_CaseExpr:
		return "CASE"
	case *pg.Node_AIndirection:
		return "a subscript"
	case *pg.Node_AArrayExpr:
		return "ARRAY[…] outside of ANY"
	case *pg.Node_RowExpr:
		return "a row"
	case *pg.Node_CollateClause:
		return "COLLATE"
	case *pg.Node_MinMaxExpr:
		return "GREATEST or LEAST"
	case *pg.Node_SqlvalueFunction:
		return "a value of the session"
	}
	return "this expression"
}

// truth makes an operand of a condition.
func truth(n node, err error) (operand, error) { return operand{node: n, typ: "bool"}, err }

func (r *reader) column(n *pg.Node) (operand, error) {
	name, ok := columnName(n)
	if !ok {
		return operand{}, refuseWhere("a column must be named without its table")
	}
	c, ok := r.columns[name]
	if !ok {
		return operand{}, refusef("where", "unknown column %s", shown(name))
	}
	return operand{node: column{name}, typ: c.Type, array: c.Dims > 0, joined: 1}, nil
}

func (r *reader) paramRef(ref *pg.ParamRef) (operand, error) {
	n := int(ref.Number)
	value, ok := r.values[n]
	if !ok {
		return operand{}, refusef("where", "$%d has no value", n)
	}
	if r.used += len(value); r.used > maxUsed {
		return operand{}, refuseWhere("refers to long parameters too often")
	}
	return operand{
		node: r.param(paramKey{number: n}, value), untyped: true,
		fixed: true, known: true, text: value, field: paramField(n),
	}, nil
}

func constant(c *pg.A_Const) (operand, error) {
	o := operand{untyped: true, fixed: true, known: true, field: "where"}
	if c.Isnull {
		o.node, o.null = null, true
		return o, nil
	}
	switch v := c.Val.(type) {
	case *pg.A_Const_Boolval:
		o.node, o.typ, o.untyped = boolWord(v.Boolval.Boolval), "bool", false
		o.text = strconv.FormatBool(v.Boolval.Boolval)
		return o, nil
	case *pg.A_Const_Ival:
		o.text, o.number = strconv.Itoa(int(v.Ival.Ival)), true
	case *pg.A_Const_Fval:
		o.text, o.number = withZeros(v.Fval.Fval), true
	case *pg.A_Const_Sval:
		o.text = v.Sval.Sval
	default:
		return operand{}, refuseWhere("a bit string is not allowed")
	}
	o.node = literal{o.text}
	return o, nil
}

// withZeros writes .5 and 5. as Electric reads them, too.
func withZeros(number string) string {
	sign, digits := "", number
	if strings.HasPrefix(number, "-") {
		sign, digits = "-", number[1:]
	}
	if strings.HasPrefix(digits, ".") {
		digits = "0" + digits
	}
	if whole, exponent, found := strings.Cut(digits, "."); found && (exponent == "" || !isDigit(exponent[0])) {
		digits = whole + exponent
	}
	return sign + digits
}

// typeCast reads a cast of a constant. Casts of columns can fail.
func (r *reader) typeCast(t *pg.TypeCast) (operand, error) {
	typ, array, err := typeName(t.TypeName)
	if err != nil {
		return operand{}, err
	}
	if array {
		return operand{}, refuseWhere("an array is not allowed outside of ANY")
	}
	if !isConstant(t.Arg) {
		return operand{}, refuseWhere("only constants and parameters can be cast")
	}
	o, err := r.operand(t.Arg)
	if err != nil {
		return operand{}, err
	}
	if !o.untyped {
		if o.typ != typ {
			return operand{}, refuseWhere("a boolean can only be cast to bool")
		}
		return o, nil
	}
	if err := o.become(typ); err != nil {
		return operand{}, err
	}
	o.node = cast{o.node, typ}
	return o, nil
}

func isConstant(n *pg.Node) bool { return n.GetAConst() != nil || n.GetParamRef() != nil }

// typeName reads the name of a type that constants may be cast to.
func typeName(t *pg.TypeName) (name string, array bool, err error) {
	names := t.GetNames()
	// Types that are keywords of SQL come with the schema: int, boolean, time.
	if len(names) == 2 && names[0].GetString_().GetSval() == "pg_catalog" {
		names = names[1:]
	}
	if len(names) == 1 {
		name = names[0].GetString_().GetSval()
	}
	if !castable[name] || t.Setof || t.PctType || len(t.Typmods) > 0 || t.Typemod != -1 || len(t.ArrayBounds) > 1 {
		return "", false, refuseWhere("a cast to this type is not allowed")
	}
	return name, len(t.ArrayBounds) == 1, nil
}

func (r *reader) boolExpr(e *pg.BoolExpr) (node, error) {
	args := make([]node, 0, len(e.Args))
	op := map[pg.BoolExprType]string{pg.BoolExprType_AND_EXPR: "AND", pg.BoolExprType_OR_EXPR: "OR"}[e.Boolop]
	for _, a := range e.Args {
		n, err := r.condition(a)
		if err != nil {
			return nil, err
		}
		// The parser flattens such lists to the left, and only there.
		if inner, ok := n.(logic); ok && inner.op == op {
			args = append(args, inner.args...)
			continue
		}
		args = append(args, n)
	}
	switch {
	case e.Boolop == pg.BoolExprType_NOT_EXPR && len(args) == 1:
		return not{args[0]}, nil
	case op != "" && len(args) > 1:
		return logic{op, args}, nil
	}
	return nil, refuseWhere("this expression is not allowed")
}

func (r *reader) nullTest(t *pg.NullTest) (node, error) {
	o, err := r.operand(t.Arg)
	if err != nil {
		return nil, err
	}
	if o.untyped {
		if _, err := unify(&o); err != nil {
			return nil, err
		}
	}
	switch {
	case t.Argisrow:
	case t.Nulltesttype == pg.NullTestType_IS_NULL:
		return test{guarded(o.node), "NULL"}, nil
	case t.Nulltesttype == pg.NullTestType_IS_NOT_NULL:
		return test{guarded(o.node), "NOT NULL"}, nil
	}
	return nil, refuseWhere("this expression is not allowed")
}

var booleanTests = map[pg.BoolTestType]string{
	pg.BoolTestType_IS_TRUE: "TRUE", pg.BoolTestType_IS_NOT_TRUE: "NOT TRUE",
	pg.BoolTestType_IS_FALSE: "FALSE", pg.BoolTestType_IS_NOT_FALSE: "NOT FALSE",
	pg.BoolTestType_IS_UNKNOWN: "UNKNOWN", pg.BoolTestType_IS_NOT_UNKNOWN: "NOT UNKNOWN",
}

func (r *reader) booleanTest(t *pg.BooleanTest) (node, error) {
	n, err := r.condition(t.Arg)
	if err != nil {
		return nil, err
	}
	is, ok := booleanTests[t.Booltesttype]
	if !ok {
		return nil, refuseWhere("this expression is not allowed")
	}
	return test{guarded(n), is}, nil
}
