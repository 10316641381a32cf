package subset

import (
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// scope knows what the names and the numbers in a where stand for. It reads the leaves
// of the parser's tree: columns, parameters and constants, each alone, under a cast or
// with a subscript.
type scope struct {
	table  *Table
	values map[int]string // of the parameters, as the client numbers them
	used   int            // bytes of values, each counted whenever it is referred to
}

// maxUsed bounds the work that references to long values can make: each is
// checked, arrays are read, some values become part of the SQL.
const maxUsed = 2 * MaxBody

// leaf reads a leaf, and refuses everything else.
func (s *scope) leaf(n *pg.Node) (operand, error) {
	switch e := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return s.column(n)
	case *pg.Node_ParamRef:
		return s.param(e.ParamRef)
	case *pg.Node_AConst:
		return constantOf(e.AConst)
	case *pg.Node_TypeCast:
		return s.cast(e.TypeCast)
	case *pg.Node_AIndirection:
		return s.subscript(e.AIndirection)
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

func (s *scope) column(n *pg.Node) (operand, error) {
	name, ok := s.table.nameOf(n)
	if !ok {
		return operand{}, refuseWhere("a column must stand alone, or behind the shape's own table")
	}
	c, ok := s.table.Columns[name]
	if !ok {
		return operand{}, refusef("where", "unknown column %s", shown(name))
	}
	return operand{node: column{name}, typ: c.Type, array: c.Dims > 0, joined: 1}, nil
}

// isArrayColumn reports whether an expression is a column of arrays, or a cast of
// one.
func (s *scope) isArrayColumn(n *pg.Node) bool {
	if t := n.GetTypeCast(); t != nil {
		n = t.Arg
	}
	name, ok := s.table.nameOf(n)
	return ok && s.table.Columns[name].Dims > 0
}

func (s *scope) param(ref *pg.ParamRef) (operand, error) {
	n := int(ref.Number)
	value, ok := s.values[n]
	if !ok {
		return operand{}, refusef("where", "$%d has no value", n)
	}
	if err := s.use(len(value)); err != nil {
		return operand{}, err
	}
	return operand{
		node: &param{source: n, value: value}, untyped: true, fixed: true,
		constant: constant{known: true, text: value, param: n, field: paramField(n)},
	}, nil
}

// use counts references to values, in bytes.
func (s *scope) use(size int) error {
	if s.used += size; s.used > maxUsed {
		return refuseWhere("refers to long parameters too often")
	}
	return nil
}

// cast reads a cast of a constant, or one of a column that cannot fail.
func (s *scope) cast(t *pg.TypeCast) (operand, error) {
	typ, array, err := typeName(t.TypeName)
	if err != nil {
		return operand{}, err
	}
	switch {
	case t.Arg.GetColumnRef() != nil:
		return s.columnCast(t.Arg, typ, array)
	case array:
		return operand{}, refuseWhere("an array is not allowed in this place")
	case !isConstant(t.Arg):
		return operand{}, errCast()
	}
	o, err := s.leaf(t.Arg)
	if err != nil {
		return operand{}, err
	}
	return o.castTo(typ)
}

func (s *scope) columnCast(n *pg.Node, typ string, array bool) (operand, error) {
	o, err := s.column(n)
	if err != nil {
		return operand{}, err
	}
	if o.array != array || !safeCast(o.typ, typ) || array && familyOf(o.typ) == enum {
		return operand{}, errCast()
	}
	return o.widened(typ), nil
}

// subscript reads tags[1]: an element of a column of arrays, NULL where there is
// none.
func (s *scope) subscript(n *pg.A_Indirection) (operand, error) {
	if n.Arg.GetColumnRef() == nil || len(n.Indirection) != 1 {
		return operand{}, errSubscript()
	}
	o, err := s.column(n.Arg)
	if err != nil {
		return operand{}, err
	}
	at := n.Indirection[0].GetAIndices()
	index := at.GetUidx().GetAConst()
	if at == nil || at.IsSlice || !o.array || index == nil {
		return operand{}, errSubscript()
	}
	number, ok := index.Val.(*pg.A_Const_Ival)
	if !ok {
		return operand{}, errSubscript()
	}
	o.node, o.array = subscript(o.node, strconv.Itoa(int(number.Ival.GetIval()))), false
	return o, nil
}

func errSubscript() error {
	return refuseWhere("a subscript is only allowed behind a column of arrays, and with one number in it")
}
