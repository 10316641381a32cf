package subset

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// reader turns a tree of Postgres' parser into one of this package. What it does
// not know, it refuses. It reads the parts of an expression first; the rules of the
// expression then say what becomes of them, and need no tree of the parser.
type reader struct{ scope scope }

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
	case *pg.Node_BoolExpr:
		return truth(r.logic(e.BoolExpr))
	case *pg.Node_NullTest:
		return truth(r.nullTest(e.NullTest))
	case *pg.Node_BooleanTest:
		return truth(r.booleanTest(e.BooleanTest))
	case *pg.Node_AExpr:
		return operation{r, e.AExpr, operatorName(e.AExpr)}.read()
	case *pg.Node_CoalesceExpr:
		return r.apply(merge, coalesce, e.CoalesceExpr.Args)
	case *pg.Node_MinMaxExpr:
		name := "GREATEST"
		if e.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			name = "LEAST"
		}
		return r.apply(extreme, name, e.MinMaxExpr.Args)
	case *pg.Node_FuncCall:
		return r.function(e.FuncCall)
	}
	return r.scope.leaf(n)
}

// truth makes an operand of a condition.
func truth(n node, err error) (operand, error) { return operand{node: n, typ: "bool"}, err }

func (r *reader) operands(nodes []*pg.Node) ([]operand, error) {
	operands := make([]operand, len(nodes))
	for i, n := range nodes {
		var err error
		if operands[i], err = r.operand(n); err != nil {
			return nil, err
		}
	}
	return operands, nil
}

// apply reads the arguments of what is written as a function, and applies its rule.
func (r *reader) apply(rule functionRule, name string, args []*pg.Node) (operand, error) {
	operands, err := r.operands(args)
	if err != nil {
		return operand{}, err
	}
	return rule(name, operands)
}

// function reads a call.
func (r *reader) function(f *pg.FuncCall) (operand, error) {
	if len(f.AggOrder) > 0 || f.AggFilter != nil || f.Over != nil || f.AggWithinGroup || f.AggStar || f.AggDistinct ||
		f.FuncVariadic || f.Funcformat != pg.CoercionForm_COERCE_EXPLICIT_CALL {
		return operand{}, refuseWhere("this form of a function call is not allowed")
	}
	name := functionName(f)
	rule, ok := functions[name]
	if !ok || len(f.Funcname) != 1 || len(f.Args) < rule.least || len(f.Args) > rule.most {
		return operand{}, refusef("where", "the function %s is not allowed with these arguments", shown(name))
	}
	return r.apply(rule.apply, name, f.Args)
}

func (r *reader) logic(e *pg.BoolExpr) (node, error) {
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
		return not(arg), err
	}
	nodes := armsOf(nil, e)
	if len(nodes) < 2 || op == "" {
		return nil, errNotAllowed()
	}
	arms := make([]node, 0, len(nodes))
	for _, n := range nodes {
		arm, err := r.condition(n)
		if err != nil {
			return nil, err
		}
		arms = appendFlat(arms, op, arm)
	}
	return infix(op, arms...), nil
}

// armsOf appends the arms of an AND or OR, and those of the same operator among them:
// the parser flattens such lists to the left, and only there.
func armsOf(arms []*pg.Node, e *pg.BoolExpr) []*pg.Node {
	arms = slices.Grow(arms, len(e.Args))
	for _, a := range e.Args {
		if inner := a.GetBoolExpr(); inner != nil && inner.Boolop == e.Boolop {
			arms = armsOf(arms, inner)
			continue
		}
		arms = append(arms, a)
	}
	return arms
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
		return test(o.node, "NULL"), nil
	case t.Nulltesttype == pg.NullTestType_IS_NOT_NULL:
		return test(o.node, "NOT NULL"), nil
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
	return test(n, is), nil
}
