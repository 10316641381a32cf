package electrictest

import (
	"errors"
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
		return logic{c}.join(n.BoolExpr)
	case *pg.Node_AExpr:
		return operation{c, n.AExpr}.compile()
	case *pg.Node_NullTest:
		return logic{c}.isNull(n.NullTest)
	case *pg.Node_BooleanTest:
		return logic{c}.is(n.BooleanTest)
	case *pg.Node_TypeCast:
		return c.cast(n.TypeCast)
	case *pg.Node_FuncCall:
		return call{c}.function(n.FuncCall)
	case *pg.Node_CoalesceExpr:
		return call{c}.coalesce(n.CoalesceExpr.Args, n.CoalesceExpr.Location)
	case *pg.Node_MinMaxExpr:
		return call{c}.extreme(n.MinMaxExpr)
	case *pg.Node_AArrayExpr:
		return arrays{c}.literal(n.AArrayExpr)
	case *pg.Node_AIndirection:
		return arrays{c}.element(n.AIndirection)
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
