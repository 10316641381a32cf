package subset

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// operators are the comparisons by the names that the parser has for them.
var operators = map[string]string{
	"=": "=", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
	"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE",
}

// flipped are the comparisons with their sides changed.
var flipped = map[string]string{
	"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
	"IS DISTINCT FROM": "IS DISTINCT FROM", "IS NOT DISTINCT FROM": "IS NOT DISTINCT FROM",
}

// operator reads an operator, or what the parser treats as one.
func (r *reader) operator(n *pg.Node, e *pg.A_Expr) (operand, error) {
	name := ""
	if len(e.Name) == 1 {
		name = e.Name[0].GetString_().GetSval()
	}
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		return r.plainOperator(n, e, name)
	case pg.A_Expr_Kind_AEXPR_DISTINCT:
		return truth(r.compareNodes("IS DISTINCT FROM", e))
	case pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return truth(r.compareNodes("IS NOT DISTINCT FROM", e))
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE:
		return truth(r.like(operators[name], e.Lexpr, e.Rexpr))
	case pg.A_Expr_Kind_AEXPR_IN:
		return truth(r.in(e, name))
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_BETWEEN_SYM:
		return truth(r.between(e, e.Kind == pg.A_Expr_Kind_AEXPR_BETWEEN_SYM))
	case pg.A_Expr_Kind_AEXPR_NOT_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		between, err := r.between(e, e.Kind == pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM)
		return truth(not{between}, err)
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		if op, ok := operators[name]; ok {
			return truth(r.quantified(e, quantifier{op, e.Kind == pg.A_Expr_Kind_AEXPR_OP_ALL}))
		}
		return operand{}, refusef("where", "ANY and ALL are not allowed with the operator %s", shown(name))
	}
	return operand{}, refuseWhere("this operator is not allowed")
}

func (r *reader) plainOperator(n *pg.Node, e *pg.A_Expr, name string) (operand, error) {
	switch {
	case name == "+", name == "-":
		return r.sum(n)
	case name == "~" && e.Lexpr == nil:
		return r.complement(e.Rexpr)
	case e.Lexpr == nil || e.Rexpr == nil:
	case name == "||":
		return r.join(e)
	case name == "&", name == "|", name == "#":
		return r.bits(name, e)
	case name == "@>", name == "<@", name == "&&":
		return truth(r.arrayOperator(name, e))
	case isLike(operators[name]):
		return truth(r.like(operators[name], e.Lexpr, e.Rexpr))
	case operators[name] != "":
		return truth(r.compareNodes(name, e))
	}
	return operand{}, refusef("where", "the operator %s is not allowed", shown(name))
}

func (r *reader) compareNodes(op string, e *pg.A_Expr) (node, error) {
	if r.isArrayColumn(e.Lexpr) || r.isArrayColumn(e.Rexpr) {
		return r.arrayOperator(op, e)
	}
	left, err := r.operand(e.Lexpr)
	if err != nil {
		return nil, err
	}
	right, err := r.operand(e.Rexpr)
	if err != nil {
		return nil, err
	}
	return comparison(op, left, right)
}

func comparison(op string, left, right operand) (node, error) {
	if needsOrder(op) {
		for _, o := range []operand{left, right} {
			if !o.untyped && !o.array && !familyOf(o.typ).ordered() && familyOf(o.typ) != incomparable {
				return nil, refuseWhere("values of type " + o.typ + " have no order")
			}
		}
	}
	left.meetConstant(right)
	right.meetConstant(left)
	if _, err := settle(&left, &right); err != nil {
		return nil, err
	}
	switch {
	case left.misfit != nil && right.fixed:
		return nil, left.notOfType()
	case right.misfit != nil && left.fixed:
		return nil, right.notOfType()
	case right.misfit != nil:
		return beside(op, left, right), nil
	case left.misfit != nil:
		return beside(flipped[op], right, left), nil
	}
	return compare{op, guarded(left.node), guarded(right.node)}, nil
}

func needsOrder(op string) bool {
	switch op {
	case "<", "<=", ">", ">=":
		return true
	}
	return false
}

// meetConstant makes text of an enum's column before it is compared with a constant:
// what is no value of the enum then matches no row, where Postgres would refuse the
// whole request.
func (o *operand) meetConstant(other operand) {
	if _, ok := o.node.(column); ok && familyOf(o.typ) == enum && !o.array && other.untyped && !other.null {
		*o = o.widened("text")
	}
}

// beside returns what becomes of a comparison with a value that is not of the type
// of o: an integer beside integers that it is greater than has an answer, and so
// has everything that asks whether they are equal.
func beside(op string, o, value operand) node {
	m := value.misfit
	switch {
	case op == "IS DISTINCT FROM":
		return yes
	case op == "IS NOT DISTINCT FROM":
		return no
	case op == "<>",
		m.side > 0 && (op == "<" || op == "<="),
		m.side < 0 && (op == ">" || op == ">="):
		return always(o.node)
	case m.floor == "" || op == "=":
		return never(o.node)
	}
	value.setText(m.floor)
	if op == "<" || op == "<=" {
		return compare{"<=", guarded(o.node), value.node}
	}
	return compare{">", guarded(o.node), value.node}
}

// between reads a BETWEEN b AND c as the comparisons that it stands for: no printer
// can get those wrong.
func (r *reader) between(e *pg.A_Expr, symmetric bool) (node, error) {
	nodes := e.Rexpr.GetList().GetItems()
	if len(nodes) != 2 {
		return nil, errNotAllowed()
	}
	arg, err := r.operand(e.Lexpr)
	if err != nil {
		return nil, err
	}
	var bounds [2]operand
	for i, n := range nodes {
		if bounds[i], err = r.operand(n); err != nil {
			return nil, err
		}
	}
	out, err := within(arg, bounds[0], bounds[1])
	if err != nil || !symmetric {
		return out, err
	}
	swapped, err := within(arg, bounds[1], bounds[0])
	return logic{"OR", []node{out, swapped}}, err
}

func within(arg, least, most operand) (node, error) {
	above, err := comparison(">=", arg, least)
	if err != nil {
		return nil, err
	}
	below, err := comparison("<=", arg, most)
	return logic{"AND", flat("AND", above, below)}, err
}

// flat returns arms of an AND or OR, those of the same operator among them
// flattened, as the reader's are.
func flat(op string, nodes ...node) []node {
	var arms []node
	for _, n := range nodes {
		if inner, ok := n.(logic); ok && inner.op == op {
			arms = append(arms, inner.args...)
			continue
		}
		arms = append(arms, n)
	}
	return arms
}

func (r *reader) in(e *pg.A_Expr, name string) (node, error) {
	op := map[string]string{"=": "IN", "<>": "NOT IN"}[name]
	items := e.Rexpr.GetList().GetItems()
	if op == "" || len(items) == 0 {
		return nil, refuseWhere("a subquery is not allowed")
	}
	return r.oneOf(e.Lexpr, op, items)
}

// oneOf reads a IN (b, c), and NOT IN.
func (r *reader) oneOf(left *pg.Node, op string, items []*pg.Node) (node, error) {
	arg, err := r.operand(left)
	if err != nil {
		return nil, err
	}
	if arg.param > 0 && arg.untyped {
		return r.paramIn(arg, op, items)
	}
	if arg.fixed {
		return nil, refuseWhere("the left side of IN must hold a column or be a parameter")
	}
	list := make([]node, 0, len(items))
	for _, item := range items {
		o, err := r.operand(item)
		if err != nil {
			return nil, err
		}
		arg.meetConstant(o)
		if _, err := settle(&arg, &o); err != nil {
			return nil, err
		}
		if o.misfit == nil {
			list = append(list, guarded(o.node))
		}
	}
	switch {
	case len(list) > 0:
		return member{guarded(arg.node), op, list}, nil
	case op == "IN":
		return never(arg.node), nil
	}
	return always(arg.node), nil
}

// paramIn reads $1 IN (a, b) as the comparisons that it stands for.
func (r *reader) paramIn(arg operand, op string, items []*pg.Node) (node, error) {
	arms := make([]node, len(items))
	for i, item := range items {
		if err := r.use(arg.text); err != nil {
			return nil, err
		}
		o, err := r.operand(item)
		if err != nil {
			return nil, err
		}
		if arms[i], err = comparison("=", arg, o); err != nil {
			return nil, err
		}
	}
	out := arms[0]
	if len(arms) > 1 {
		out = logic{"OR", slices.Clip(flat("OR", arms...))}
	}
	if op == "NOT IN" {
		return not{out}, nil
	}
	return out, nil
}
