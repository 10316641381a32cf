package subset

import (
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// isArrayColumn reports whether an expression is a column of arrays, or a cast of
// one.
func (r *reader) isArrayColumn(n *pg.Node) bool {
	if t := n.GetTypeCast(); t != nil {
		n = t.Arg
	}
	name, ok := columnName(n)
	return ok && r.columns[name].Dims > 0
}

// arrayOperator reads a comparison of two arrays: @>, <@, &&, and = and its like.
// One of them at least is a column.
func (r *reader) arrayOperator(op string, e *pg.A_Expr) (node, error) {
	if needsOrder(op) {
		return nil, refuseWhere("arrays have no order")
	}
	left, right := r.isArrayColumn(e.Lexpr), r.isArrayColumn(e.Rexpr)
	switch {
	case left && right:
		return r.arrayColumns(op, e)
	case left:
		return r.arrayWith(op, e.Lexpr, e.Rexpr)
	case right:
		return r.arrayWith(mirrored(op), e.Rexpr, e.Lexpr)
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

// arrayColumn reads a column of arrays whose elements Electric can compare.
func (r *reader) arrayColumn(n *pg.Node) (operand, error) {
	o, err := r.operand(n)
	if err != nil {
		return operand{}, err
	}
	if f := familyOf(o.typ); f == incomparable || f == enum {
		return operand{}, refuseWhere("an array of type " + o.typ + " can only be tested with IS NULL")
	}
	return o, nil
}

// arrayColumns compares two columns. Postgres compares arrays of one type only.
func (r *reader) arrayColumns(op string, e *pg.A_Expr) (node, error) {
	left, err := r.arrayColumn(e.Lexpr)
	if err != nil {
		return nil, err
	}
	right, err := r.arrayColumn(e.Rexpr)
	if err != nil {
		return nil, err
	}
	typ, ok := common(left.typ, right.typ)
	if !ok || !safeCast(left.typ, typ) || !safeCast(right.typ, typ) {
		return nil, errTypes(left.typ, right.typ)
	}
	return compare{op, left.widened(typ).node, right.widened(typ).node}, nil
}

// arrayWith compares a column with an array that is the same for every row. An
// element that is not of the column's type is in no array of the column.
func (r *reader) arrayWith(op string, columnNode, other *pg.Node) (node, error) {
	o, err := r.arrayColumn(columnNode)
	if err != nil {
		return nil, err
	}
	if c := other.GetAConst(); c != nil && c.Isnull {
		return compare{op, o.node, null}, nil
	}
	if variableItems(other) != nil {
		return nil, errArrayItems()
	}
	a, err := r.array(other)
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
	return compare{op, o.node, a.node(o.typ)}, nil
}

// subscript reads tags[1]: an element of a column of arrays, NULL where there is
// none.
func (r *reader) subscript(n *pg.A_Indirection) (operand, error) {
	if n.Arg.GetColumnRef() == nil || len(n.Indirection) != 1 {
		return operand{}, errSubscript()
	}
	o, err := r.column(n.Arg)
	if err != nil {
		return operand{}, err
	}
	at := n.Indirection[0].GetAIndices()
	index := at.GetUidx().GetAConst()
	if at == nil || at.IsSlice || !o.array || index == nil {
		return operand{}, errSubscript()
	}
	var number string
	switch v := index.Val.(type) {
	case *pg.A_Const_Ival:
		number = strconv.Itoa(int(v.Ival.GetIval()))
	default:
		return operand{}, errSubscript()
	}
	o.node, o.array = subscript{o.node, number}, false
	return o, nil
}

func errSubscript() error {
	return refuseWhere("a subscript is only allowed behind a column of arrays, and with one number in it")
}
