package subset

import (
	"cmp"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// reader turns a tree of Postgres' parser into one of this package. What it does
// not know, it refuses.
type reader struct {
	columns Columns
	values  map[int]string // of the parameters, as the client numbers them
	used    int            // bytes of values, each counted whenever it is referred to
}

// maxUsed bounds the work that references to long values can make: each is
// checked, arrays are read, some values become part of the SQL.
const maxUsed = 2 * MaxBody

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
		return constantOf(e.AConst)
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
		return r.merge(coalesce, e.CoalesceExpr.Args)
	case *pg.Node_MinMaxExpr:
		return r.extreme(e.MinMaxExpr)
	case *pg.Node_FuncCall:
		return r.function(e.FuncCall)
	case *pg.Node_AIndirection:
		return r.subscript(e.AIndirection)
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
	case *pg.Node_AArrayExpr:
		return "ARRAY[…] in this place"
	case *pg.Node_RowExpr:
		return "a row"
	case *pg.Node_CollateClause:
		return "COLLATE"
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
	if err := r.use(value); err != nil {
		return operand{}, err
	}
	return operand{
		node: &param{source: n, value: value}, untyped: true, fixed: true,
		constant: constant{known: true, text: value, param: n, field: paramField(n)},
	}, nil
}

// use counts a reference to a value.
func (r *reader) use(value string) error {
	if r.used += len(value); r.used > maxUsed {
		return refuseWhere("refers to long parameters too often")
	}
	return nil
}

func constantOf(c *pg.A_Const) (operand, error) {
	o := operand{untyped: true, fixed: true, constant: constant{known: true, field: "where"}}
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

func isConstant(n *pg.Node) bool { return n.GetAConst() != nil || n.GetParamRef() != nil }

func (r *reader) boolExpr(e *pg.BoolExpr) (node, error) {
	var op string
	switch e.Boolop {
	case pg.BoolExprType_AND_EXPR:
		op = "AND"
	case pg.BoolExprType_OR_EXPR:
		op = "OR"
	case pg.BoolExprType_NOT_EXPR:
		if len(e.Args) != 1 {
			return nil, errNotAllowed()
		}
		arg, err := r.condition(e.Args[0])
		return not{arg}, err
	}
	arms, err := r.arms(nil, op, e)
	if err != nil || len(arms) < 2 {
		return nil, cmp.Or(err, errNotAllowed())
	}
	return logic{op, arms}, nil
}

// arms appends the arms of an AND or OR, and those of the same operator among them:
// the parser flattens such lists to the left, and only there.
func (r *reader) arms(arms []node, op string, e *pg.BoolExpr) ([]node, error) {
	for _, a := range e.Args {
		if inner := a.GetBoolExpr(); inner != nil && inner.Boolop == e.Boolop {
			var err error
			if arms, err = r.arms(arms, op, inner); err != nil {
				return nil, err
			}
			continue
		}
		n, err := r.condition(a)
		if err != nil {
			return nil, err
		}
		if inner, ok := n.(logic); ok && inner.op == op {
			arms = append(arms, inner.args...)
			continue
		}
		arms = append(arms, n)
	}
	return arms, nil
}

func errNotAllowed() error { return refuseWhere("this expression is not allowed") }

func (r *reader) nullTest(t *pg.NullTest) (node, error) {
	o, err := r.operand(t.Arg)
	if err != nil {
		return nil, err
	}
	if o.untyped {
		_, err = unify(&o)
	} else {
		err = o.checkFit()
	}
	if err != nil {
		return nil, err
	}
	switch {
	case t.Argisrow:
	case t.Nulltesttype == pg.NullTestType_IS_NULL:
		return test{guarded(o.node), "NULL"}, nil
	case t.Nulltesttype == pg.NullTestType_IS_NOT_NULL:
		return test{guarded(o.node), "NOT NULL"}, nil
	}
	return nil, errNotAllowed()
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
		return nil, errNotAllowed()
	}
	return test{guarded(n), is}, nil
}
