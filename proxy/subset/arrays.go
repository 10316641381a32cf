package subset

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// arrayReader reads comparisons of arrays with arrays, and what stands on their sides:
// columns of arrays, and arrays that are the same for every row.
type arrayReader struct{ scope *scope }

// comparison reads @>, <@, &&, and = and its like. One of the sides at least is a column.
func (r arrayReader) comparison(op string, left, right *pg.Node) (node, error) {
	if needsOrder(op) {
		return nil, refuseWhere("arrays have no order")
	}
	switch rightIsColumn := r.scope.isArrayColumn(right); {
	case rightIsColumn && r.scope.isArrayColumn(left):
		return r.columns(op, left, right)
	case rightIsColumn:
		return r.withConstant(mirrored(op), right, left)
	case r.scope.isArrayColumn(left):
		return r.withConstant(op, left, right)
	}
	return nil, refusef("where", "the operator %s takes a column of arrays", shown(op))
}

// mirrored returns the operator that says the same with its sides changed.
func mirrored(op string) string {
	switch op {
	case "@>":
		return "<@"
	case "<@":
		return "@>"
	}
	return op
}

// columns compares two columns. Postgres compares arrays of one type only.
func (r arrayReader) columns(op string, leftNode, rightNode *pg.Node) (node, error) {
	left, err := r.column(leftNode)
	if err != nil {
		return nil, err
	}
	right, err := r.column(rightNode)
	if err != nil {
		return nil, err
	}
	typ, ok := common(left.typ, right.typ)
	if !ok || !safeCast(left.typ, typ) || !safeCast(right.typ, typ) {
		return nil, errTypes(left.typ, right.typ)
	}
	return infix(op, left.widened(typ).node, right.widened(typ).node), nil
}

// withConstant compares a column with an array that is the same for every row. An
// element that is not of the column's type is in no array of the column.
func (r arrayReader) withConstant(op string, columnNode, other *pg.Node) (node, error) {
	o, err := r.column(columnNode)
	if err != nil {
		return nil, err
	}
	if c := other.GetAConst(); c != nil && c.Isnull {
		return infix(op, o.node, null), nil
	}
	if variableItems(other) != nil {
		return nil, errArrayItems()
	}
	a, err := r.constant(other)
	if err != nil {
		return nil, err
	}
	dropped, err := a.become(o.typ)
	if err != nil {
		return nil, err
	}
	if dropped > 0 {
		switch op {
		case "=", "@>":
			return never(o.node), nil
		case "<>":
			return always(o.node), nil
		case "IS DISTINCT FROM":
			return yes, nil
		case "IS NOT DISTINCT FROM":
			return no, nil
		}
	}
	return infix(op, o.node, a.node(o.typ)), nil
}

// column reads a column of arrays whose elements Electric can compare.
func (r arrayReader) column(n *pg.Node) (operand, error) {
	o, err := r.scope.leaf(n)
	if err != nil {
		return operand{}, err
	}
	if f := familyOf(o.typ); f == incomparable || f == enum {
		return operand{}, refuseWhere("an array of type " + o.typ + " can only be tested with IS NULL")
	}
	return o, nil
}

// constant reads an array that is the same for every row.
func (r arrayReader) constant(n *pg.Node) (constantArray, error) {
	if t := n.GetTypeCast(); t != nil {
		typ, array, err := typeName(t.TypeName)
		if err != nil {
			return constantArray{}, err
		}
		if !array {
			return constantArray{}, errNoArray()
		}
		a, err := r.bare(t.Arg)
		a.typ = typ
		return a, err
	}
	return r.bare(n)
}

func errNoArray() error {
	return refuseWhere("an array must stand here: a column, a constant, a parameter or ARRAY[…]")
}

func (r arrayReader) bare(n *pg.Node) (constantArray, error) {
	if list := n.GetAArrayExpr(); list != nil {
		return r.elements(list.Elements)
	}
	if !isConstant(n) {
		return constantArray{}, errNoArray()
	}
	o, err := r.scope.leaf(n)
	if err != nil {
		return constantArray{}, err
	}
	a := constantArray{field: o.field, param: o.param}
	if a.elements, err = parseArray(o.text); err != nil || o.null || o.number || !o.untyped {
		return constantArray{}, refuse(o.field, "is not a one-dimensional array, {a,b}")
	}
	if o.param == 0 {
		for i := range a.elements {
			a.elements[i].strict = true
		}
	}
	return a, nil
}

func (r arrayReader) elements(items []*pg.Node) (constantArray, error) {
	a := constantArray{field: "where", elements: make([]element, len(items)), fields: make([]string, len(items))}
	for i, item := range items {
		if !isConstantItem(item) {
			return a, errArrayItems()
		}
		o, err := r.scope.leaf(item)
		if err == nil {
			err = o.checkFit()
		}
		if err != nil {
			return a, err
		}
		a.elements[i] = element{text: o.text, null: o.null, strict: o.param == 0 && !o.number}
		a.fields[i] = o.field
		a.numbers = a.numbers || o.number
	}
	return a, nil
}

// variableItems returns the items of ARRAY[…], if some of them are columns.
func variableItems(n *pg.Node) []*pg.Node {
	if t := n.GetTypeCast(); t != nil {
		n = t.Arg
	}
	items := n.GetAArrayExpr().GetElements()
	for _, item := range items {
		if !isConstantItem(item) {
			return items
		}
	}
	return nil
}

func isConstantItem(n *pg.Node) bool { return isConstant(n) || isConstant(n.GetTypeCast().GetArg()) }

func errArrayItems() error { return refuseWhere("ARRAY[…] may only hold constants and parameters") }
