package subset

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// comparisons are the comparisons of values by the names that the parser has for them.
var comparisons = map[string]string{
	"=": "=", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
	"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE",
}

// computations are the other operators with two sides, each with its rule.
var computations = map[string]func(op string, left, right operand) (operand, error){
	"||": join, "&": bits, "|": bits, "#": bits,
}

// operation is an operator with its sides, or what the parser treats as one, while it
// is read.
type operation struct {
	reader *reader
	expr   *pg.A_Expr
	name   string
}

// operatorName returns the name of an operator; "" if it has a schema.
func operatorName(e *pg.A_Expr) string {
	if len(e.Name) != 1 {
		return ""
	}
	return e.Name[0].GetString_().GetSval()
}

func (o operation) read() (operand, error) {
	switch o.expr.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		return o.plain()
	case pg.A_Expr_Kind_AEXPR_DISTINCT:
		return truth(o.comparison("IS DISTINCT FROM"))
	case pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return truth(o.comparison("IS NOT DISTINCT FROM"))
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE:
		return truth(o.like())
	case pg.A_Expr_Kind_AEXPR_IN:
		return truth(o.in())
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_BETWEEN_SYM:
		return truth(o.between(o.expr.Kind == pg.A_Expr_Kind_AEXPR_BETWEEN_SYM))
	case pg.A_Expr_Kind_AEXPR_NOT_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		between, err := o.between(o.expr.Kind == pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM)
		return truth(not(between), err)
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		return truth(o.quantified())
	}
	return operand{}, refuseWhere("this operator is not allowed")
}

// plain reads an operator that is written as one.
func (o operation) plain() (operand, error) {
	op := comparisons[o.name]
	switch {
	case o.name == "+", o.name == "-":
		return sum(o.reader, o.expr)
	case o.name == "~" && o.expr.Lexpr == nil:
		arg, err := o.reader.operand(o.expr.Rexpr)
		if err != nil {
			return operand{}, err
		}
		return complement(arg)
	case o.expr.Lexpr == nil || o.expr.Rexpr == nil:
	case isLike(op):
		return truth(o.like())
	case op != "":
		return truth(o.comparison(op))
	case o.name == "@>", o.name == "<@", o.name == "&&":
		return truth(o.arrays().comparison(o.name, o.expr.Lexpr, o.expr.Rexpr))
	case computations[o.name] != nil:
		left, right, err := o.sides()
		if err != nil {
			return operand{}, err
		}
		return computations[o.name](o.name, left, right)
	}
	return operand{}, refusef("where", "the operator %s is not allowed", shown(o.name))
}

func (o operation) sides() (left, right operand, err error) {
	if left, err = o.reader.operand(o.expr.Lexpr); err != nil {
		return left, right, err
	}
	right, err = o.reader.operand(o.expr.Rexpr)
	return left, right, err
}

func (o operation) arrays() arrayReader { return arrayReader{&o.reader.scope} }

func (o operation) comparison(op string) (node, error) {
	if s := &o.reader.scope; s.isArrayColumn(o.expr.Lexpr) || s.isArrayColumn(o.expr.Rexpr) {
		return o.arrays().comparison(op, o.expr.Lexpr, o.expr.Rexpr)
	}
	left, right, err := o.sides()
	if err != nil {
		return nil, err
	}
	return comparison(op, left, right)
}

func (o operation) like() (node, error) {
	op := comparisons[o.name]
	if op == "" {
		return nil, refuseWhere("this operator is not allowed")
	}
	arg, pattern, err := o.sides()
	if err != nil {
		return nil, err
	}
	return like(op, arg, pattern)
}

func (o operation) between(symmetric bool) (node, error) {
	if len(o.expr.Rexpr.GetList().GetItems()) != 2 {
		return nil, errNotAllowed()
	}
	arg, err := o.reader.operand(o.expr.Lexpr)
	if err != nil {
		return nil, err
	}
	bounds, err := o.reader.operands(o.expr.Rexpr.GetList().GetItems())
	if err != nil {
		return nil, err
	}
	return between(arg, bounds[0], bounds[1], symmetric)
}

func (o operation) in() (node, error) {
	op := map[string]string{"=": "IN", "<>": "NOT IN"}[o.name]
	items := o.expr.Rexpr.GetList().GetItems()
	if op == "" || len(items) == 0 {
		return nil, refuseWhere("a subquery is not allowed")
	}
	return o.oneOf(op, items)
}

// oneOf reads a IN (b, c), and NOT IN.
func (o operation) oneOf(op string, items []*pg.Node) (node, error) {
	arg, err := o.reader.operand(o.expr.Lexpr)
	if err != nil {
		return nil, err
	}
	rule := oneOf
	switch {
	case arg.param > 0 && arg.untyped:
		rule = paramOneOf
		if err := o.reader.scope.use(len(items) * len(arg.text)); err != nil {
			return nil, err
		}
	case arg.fixed:
		return nil, refuseWhere("the left side of IN must hold a column or be a parameter")
	}
	list, err := o.reader.operands(items)
	if err != nil {
		return nil, err
	}
	return rule(op, arg, list)
}

// quantified reads a = ANY(b), and every other comparison with ANY and ALL.
func (o operation) quantified() (node, error) {
	op, ok := comparisons[o.name]
	if !ok {
		return nil, refusef("where", "ANY and ALL are not allowed with the operator %s", shown(o.name))
	}
	q := quantifier{op, o.expr.Kind == pg.A_Expr_Kind_AEXPR_OP_ALL}
	if o.reader.scope.isArrayColumn(o.expr.Rexpr) {
		arg, array, err := o.sides()
		if err != nil {
			return nil, err
		}
		return q.withColumn(arg, array)
	}
	if items := variableItems(o.expr.Rexpr); items != nil {
		switch {
		case q == quantifier{"=", false}:
			return o.oneOf("IN", items)
		case q == quantifier{"<>", true}:
			return o.oneOf("NOT IN", items)
		}
		return nil, errArrayItems()
	}
	arg, err := o.reader.operand(o.expr.Lexpr)
	if err != nil {
		return nil, err
	}
	array, err := o.arrays().constant(o.expr.Rexpr)
	if err != nil {
		return nil, err
	}
	return q.withConstant(arg, array)
}
