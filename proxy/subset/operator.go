package subset

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

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
		return truth(r.like(e, name))
	case pg.A_Expr_Kind_AEXPR_IN:
		return truth(r.in(e, name))
	case pg.A_Expr_Kind_AEXPR_BETWEEN:
		return truth(r.between(e))
	case pg.A_Expr_Kind_AEXPR_NOT_BETWEEN:
		between, err := r.between(e)
		return truth(not{between}, err)
	case pg.A_Expr_Kind_AEXPR_OP_ANY:
		if name == "=" {
			return truth(r.quantified(e, "= ANY"))
		}
		return operand{}, refuseWhere("ANY is only allowed with =")
	case pg.A_Expr_Kind_AEXPR_OP_ALL:
		if name == "<>" {
			return truth(r.quantified(e, "<> ALL"))
		}
		return operand{}, refuseWhere("ALL is only allowed with <>")
	}
	return operand{}, refuseWhere("this operator is not allowed")
}

func (r *reader) plainOperator(n *pg.Node, e *pg.A_Expr, name string) (operand, error) {
	switch {
	case name == "+", name == "-":
		return r.sum(n)
	case e.Lexpr == nil || e.Rexpr == nil:
	case name == "||":
		return r.join(e)
	case name == "=", name == "<>", name == "<", name == "<=", name == ">", name == ">=":
		return truth(r.compareNodes(name, e))
	}
	return operand{}, refusef("where", "the operator %s is not allowed", shown(name))
}

func (r *reader) compareNodes(op string, e *pg.A_Expr) (node, error) {
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
	typ, err := unify(&left, &right)
	if err != nil {
		return nil, err
	}
	switch op {
	case "<", "<=", ">", ">=":
		if !familyOf(typ).ordered() {
			return nil, refuseWhere("values of type " + typ + " have no order")
		}
	}
	return compare{op, guarded(left.node), guarded(right.node)}, nil
}

// between reads a BETWEEN b AND c as the two comparisons that it stands for: no
// printer can get those wrong.
func (r *reader) between(e *pg.A_Expr) (node, error) {
	bounds := e.Rexpr.GetList().GetItems()
	if len(bounds) != 2 {
		return nil, refuseWhere("this expression is not allowed")
	}
	arg, err := r.operand(e.Lexpr)
	if err != nil {
		return nil, err
	}
	arms := make([]node, len(bounds))
	for i, op := range []string{">=", "<="} {
		bound, err := r.operand(bounds[i])
		if err != nil {
			return nil, err
		}
		if arms[i], err = comparison(op, arg, bound); err != nil {
			return nil, err
		}
	}
	return logic{"AND", arms}, nil
}

func (r *reader) in(e *pg.A_Expr, name string) (node, error) {
	op := map[string]string{"=": "IN", "<>": "NOT IN"}[name]
	items := e.Rexpr.GetList().GetItems()
	if op == "" || len(items) == 0 {
		return nil, refuseWhere("a subquery is not allowed")
	}
	arg, err := r.operand(e.Lexpr)
	if err != nil {
		return nil, err
	}
	if arg.fixed {
		return nil, refuseWhere("the left side of IN must hold a column")
	}
	list := make([]node, len(items))
	for i, item := range items {
		if !isConstant(item) && !isConstant(item.GetTypeCast().GetArg()) {
			return nil, refuseWhere("a list of IN may only hold constants and parameters")
		}
		o, err := r.operand(item)
		if err != nil {
			return nil, err
		}
		if _, err := unify(&arg, &o); err != nil {
			return nil, err
		}
		list[i] = o.node
	}
	return member{guarded(arg.node), op, list}, nil
}

// quantified reads a = ANY(b) and a <> ALL(b).
func (r *reader) quantified(e *pg.A_Expr, op string) (node, error) {
	arg, err := r.operand(e.Lexpr)
	if err != nil {
		return nil, err
	}
	if name, ok := columnName(e.Rexpr); ok {
		if c, ok := r.columns[name]; ok && c.Dims > 0 {
			return inColumn(arg, op, name, c)
		}
	}
	array, err := r.array(e.Rexpr)
	if err != nil {
		return nil, err
	}
	if arg.fixed {
		return nil, refuseWhere("a side of ANY or ALL must hold a column")
	}
	typ, err := unify(&arg)
	if err != nil {
		return nil, err
	}
	if err := array.become(typ); err != nil {
		return nil, err
	}
	return quantified{guarded(arg.node), op, array.node(r)}, nil
}

// inColumn compares a value with the elements of a column of arrays.
func inColumn(arg operand, op, name string, c Column) (node, error) {
	if familyOf(c.Type) == incomparable {
		return nil, refuseWhere("a value of type " + c.Type + " can only be tested with IS NULL")
	}
	if arg.untyped {
		if err := arg.become(c.Type); err != nil {
			return nil, err
		}
	}
	if arg.array || arg.typ != c.Type {
		return nil, refuseWhere("values of the types " + arg.typ + " and " + c.Type + " cannot be compared")
	}
	return quantified{guarded(arg.node), op, column{name}}, nil
}

// constantArray is the right side of ANY: an array literal, a parameter that holds
// one, or ARRAY[…].
type constantArray struct {
	elements []element
	numbers  bool   // some elements are bare numbers
	typ      string // of a cast, or ""
	field    string
	param    int // the parameter that it comes from, or 0
}

func (r *reader) array(n *pg.Node) (constantArray, error) {
	if t := n.GetTypeCast(); t != nil {
		typ, array, err := typeName(t.TypeName)
		if err != nil {
			return constantArray{}, err
		}
		if !array {
			return constantArray{}, refuseWhere("ANY and ALL take an array")
		}
		a, err := r.bareArray(t.Arg)
		a.typ = typ
		return a, err
	}
	return r.bareArray(n)
}

func (r *reader) bareArray(n *pg.Node) (constantArray, error) {
	if list := n.GetAArrayExpr(); list != nil {
		return r.elements(list.Elements)
	}
	if !isConstant(n) {
		return constantArray{}, refuseWhere("ANY and ALL take an array column, a constant or a parameter")
	}
	o, err := r.operand(n)
	if err != nil {
		return constantArray{}, err
	}
	a := constantArray{field: o.field, param: int(n.GetParamRef().GetNumber())}
	if a.elements, err = parseArray(o.text); err != nil || o.null || o.number || !o.untyped {
		return constantArray{}, refuse(o.field, "is not a one-dimensional array, {a,b}")
	}
	return a, nil
}

func (r *reader) elements(items []*pg.Node) (constantArray, error) {
	a := constantArray{field: "where", elements: make([]element, len(items))}
	for i, item := range items {
		if !isConstant(item) && !isConstant(item.GetTypeCast().GetArg()) {
			return a, refuseWhere("ARRAY[…] may only hold constants and parameters")
		}
		o, err := r.operand(item)
		if err != nil {
			return a, err
		}
		a.elements[i] = element{text: o.text, null: o.null}
		a.numbers = a.numbers || o.number
	}
	return a, nil
}

// become checks every element against the type that it is compared with. A cast
// to a type that cannot be compared with it is refused, any other is dropped: the
// elements are read as values of that type.
func (a *constantArray) become(typ string) error {
	f := familyOf(typ)
	if _, ok := common(typ, a.typ); a.typ != "" && !ok {
		return refuseWhere("values of the types " + typ + " and " + a.typ + " cannot be compared")
	}
	if a.numbers && f != integer && f != float && f != decimal {
		return refuseWhere("a number cannot be compared with a value of type " + typ)
	}
	for _, e := range a.elements {
		if !e.null && !accepts(typ, e.text) {
			return refuse(a.field, "holds an element that is not a value of type "+typ)
		}
	}
	return nil
}

func (a *constantArray) node(r *reader) node {
	if a.param > 0 {
		return r.param(paramKey{a.param, true}, arrayText(a.elements))
	}
	return literal{arrayText(a.elements)}
}
