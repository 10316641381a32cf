package schema

import (
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// What a static where may be made of. It follows Electric 1.7.12's own evaluator,
// which has to decide every change without asking Postgres: all of it depends on
// the row alone, so nothing volatile is in it. What is not named here is refused.
var (
	allowedOperators = []string{
		"=", "<>", "<", ">", "<=", ">=",
		"+", "-", "*", "/", "^", "|/", "@", "&", "|", "#", "~",
		"||", "~~", "~~*", "!~~", "!~~*", "@>", "<@", "&&",
	}
	allowedFunctions = []string{
		"array_append", "array_cat", "array_ndims", "array_prepend",
		"concat", "ilike", "justify_days", "justify_hours", "justify_interval",
		"like", "lower", "timezone", "upper",
	}
	allowedTypes = []string{
		"bool", "date", "float4", "float8", "int2", "int4", "int8", "interval",
		"jsonb", "text", "time", "timestamp", "timestamptz", "uuid", "varchar",
	}
	allowedForms = map[pg.A_Expr_Kind]bool{
		pg.A_Expr_Kind_AEXPR_OP:              true,
		pg.A_Expr_Kind_AEXPR_OP_ANY:          true,
		pg.A_Expr_Kind_AEXPR_OP_ALL:          true,
		pg.A_Expr_Kind_AEXPR_DISTINCT:        true,
		pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:    true,
		pg.A_Expr_Kind_AEXPR_IN:              true,
		pg.A_Expr_Kind_AEXPR_LIKE:            true,
		pg.A_Expr_Kind_AEXPR_ILIKE:           true,
		pg.A_Expr_Kind_AEXPR_BETWEEN:         true,
		pg.A_Expr_Kind_AEXPR_NOT_BETWEEN:     true,
		pg.A_Expr_Kind_AEXPR_BETWEEN_SYM:     true,
		pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM: true,
	}
	// betweens have a word where other expressions have their operator.
	betweens = []string{"BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC"}
)

// allowList walks an expression and keeps what it must not contain.
type allowList struct{ errs []error }

func (a *allowList) refuse(format string, args ...any) {
	a.errs = append(a.errs, fmt.Errorf(format, args...))
}

func (a *allowList) all(nodes []*pg.Node) {
	for _, node := range nodes {
		a.expression(node)
	}
}

func (a *allowList) expression(node *pg.Node) {
	switch n := node.GetNode().(type) {
	case *pg.Node_ColumnRef:
		if columnOf(node) == "" {
			a.refuse("columns are named alone, without table or *")
		}
	case *pg.Node_AConst:
		if n.AConst.GetBsval() != nil {
			a.refuse("bit strings are not supported")
		}
	case *pg.Node_ParamRef:
	case *pg.Node_BoolExpr:
		a.all(n.BoolExpr.Args)
	case *pg.Node_AExpr:
		a.operator(n.AExpr)
	case *pg.Node_NullTest:
		if n.NullTest.Argisrow {
			a.refuse("rows are not supported")
		}
		a.expression(n.NullTest.Arg)
	case *pg.Node_BooleanTest:
		a.expression(n.BooleanTest.Arg)
	case *pg.Node_TypeCast:
		a.typeName(n.TypeCast.TypeName)
		a.expression(n.TypeCast.Arg)
	case *pg.Node_FuncCall:
		a.function(n.FuncCall)
	case *pg.Node_CoalesceExpr:
		a.all(n.CoalesceExpr.Args)
	case *pg.Node_MinMaxExpr:
		a.all(n.MinMaxExpr.Args)
	case *pg.Node_AArrayExpr:
		a.all(n.AArrayExpr.Elements)
	case *pg.Node_List:
		a.all(n.List.Items)
	case *pg.Node_AIndirection:
		a.subscript(n.AIndirection)
	case *pg.Node_SubLink:
		a.refuse("subqueries are not supported")
	case *pg.Node_SqlvalueFunction:
		a.refuse("values that change with the time or the connection are not supported")
	default:
		a.refuse("%s is not supported", strings.TrimPrefix(fmt.Sprintf("%T", n), "*pg_query.Node_"))
	}
}

func (a *allowList) operator(e *pg.A_Expr) {
	name := qualifiedName(e.Name)
	switch {
	case !allowedForms[e.Kind]:
		a.refuse("the form of %s is not supported", name)
	case !slices.Contains(allowedOperators, name) && !slices.Contains(betweens, name):
		a.refuse("the operator %s is not supported", name)
	}
	if e.Lexpr != nil { // a prefix operator has none
		a.expression(e.Lexpr)
	}
	a.expression(e.Rexpr)
}

func (a *allowList) function(call *pg.FuncCall) {
	// AT TIME ZONE is a call of pg_catalog.timezone.
	name := strings.TrimPrefix(qualifiedName(call.Funcname), "pg_catalog.")
	switch {
	case !slices.Contains(allowedFunctions, name):
		a.refuse("the function %s is not supported%s", name, didYouMean(name, allowedFunctions))
	case call.AggStar || call.AggDistinct || call.AggWithinGroup || call.AggFilter != nil || len(call.AggOrder) > 0 || call.Over != nil:
		a.refuse("aggregates and windows are not supported")
	case call.FuncVariadic:
		a.refuse("VARIADIC is not supported")
	}
	a.all(call.Args)
}

func (a *allowList) typeName(t *pg.TypeName) {
	name := strings.TrimPrefix(qualifiedName(t.GetNames()), "pg_catalog.")
	switch {
	case !slices.Contains(allowedTypes, name):
		a.refuse("the type %s is not supported%s", name, didYouMean(name, allowedTypes))
	case len(t.Typmods) > 0 || t.Setof || t.PctType:
		a.refuse("the type %s is supported without a modifier only", name)
	}
}

// subscript allows tags[1] and tags[1:2], and no fields of composite values.
func (a *allowList) subscript(n *pg.A_Indirection) {
	a.expression(n.Arg)
	for _, step := range n.Indirection {
		indices := step.GetAIndices()
		if indices == nil {
			a.refuse("fields of a value are not supported")
			continue
		}
		for _, index := range []*pg.Node{indices.Lidx, indices.Uidx} {
			if index != nil {
				a.expression(index)
			}
		}
	}
}

// qualifiedName joins a name's parts with dots. An operator in pg_catalog keeps
// its schema and so is on no list.
func qualifiedName(parts []*pg.Node) string {
	names := make([]string, len(parts))
	for i, part := range parts {
		names[i] = part.GetString_().GetSval()
	}
	return strings.Join(names, ".")
}
