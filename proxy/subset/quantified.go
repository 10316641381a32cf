package subset

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// quantifier is an operator with ANY or ALL.
type quantifier struct {
	op  string
	all bool
}

func (q quantifier) String() string {
	if q.all {
		return q.op + " ALL"
	}
	return q.op + " ANY"
}

// negated reports whether the operator is one that says NOT.
func (q quantifier) negated() bool { return q.op == "<>" || strings.HasPrefix(q.op, "NOT ") }

// quantified reads a = ANY(b), and every other comparison with ANY and ALL.
func (r *reader) quantified(e *pg.A_Expr, q quantifier) (node, error) {
	if r.isArrayColumn(e.Rexpr) {
		return r.inColumn(e, q)
	}
	if items := variableItems(e.Rexpr); items != nil {
		switch {
		case q == quantifier{"=", false}:
			return r.oneOf(e.Lexpr, "IN", items)
		case q == quantifier{"<>", true}:
			return r.oneOf(e.Lexpr, "NOT IN", items)
		}
		return nil, errArrayItems()
	}
	arg, err := r.operand(e.Lexpr)
	if err != nil {
		return nil, err
	}
	array, err := r.array(e.Rexpr)
	if err != nil {
		return nil, err
	}
	if arg.fixed {
		return nil, refuseWhere("a side of ANY or ALL must hold a column")
	}
	if isLike(q.op) {
		if arg, err = arg.asText(); err != nil {
			return nil, err
		}
	}
	if needsOrder(q.op) && !familyOf(arg.typ).ordered() {
		return nil, refuseWhere("values of type " + arg.typ + " have no order")
	}
	arg.meetConstant(operand{untyped: true})
	typ, err := unify(&arg)
	if err != nil {
		return nil, err
	}
	dropped, err := array.become(typ)
	if err != nil {
		return nil, err
	}
	if isLike(q.op) {
		dropped += array.dropOpenPatterns()
	}
	return array.compared(arg, q, dropped)
}

// compared returns the comparison of arg with the elements. Those that were dropped
// equal no value, and match none.
func (a *constantArray) compared(arg operand, q quantifier, dropped int) (node, error) {
	switch {
	case dropped > 0 && needsOrder(q.op):
		return nil, refuse(a.field, "holds an element that is not a value of type "+arg.typ)
	case dropped > 0 && q.negated() && (!q.all || len(a.elements) == 0):
		return always(arg.node), nil
	case dropped > 0 && !q.negated() && (q.all || len(a.elements) == 0):
		return never(arg.node), nil
	}
	return quantified{guarded(arg.node), q.String(), a.node(arg.typ)}, nil
}

// inColumn compares a value with the elements of a column of arrays.
func (r *reader) inColumn(e *pg.A_Expr, q quantifier) (node, error) {
	arg, err := r.operand(e.Lexpr)
	if err != nil {
		return nil, err
	}
	array, err := r.operand(e.Rexpr)
	if err != nil {
		return nil, err
	}
	elements := array
	elements.array = false
	switch {
	case arg.array:
		return nil, refuseWhere("an array is no element of an array")
	case isLike(q.op):
		return nil, refuseWhere("the pattern of LIKE ANY and LIKE ALL must be a constant")
	}
	typ, err := settle(&arg, &elements)
	if err != nil {
		return nil, err
	}
	switch {
	case needsOrder(q.op) && !familyOf(typ).ordered():
		return nil, refuseWhere("values of type " + typ + " have no order")
	case arg.misfit == nil:
	case q == quantifier{"=", false}:
		return never(array.node), nil
	case q == quantifier{"<>", true}:
		return always(array.node), nil
	default:
		return nil, arg.notOfType()
	}
	return quantified{guarded(arg.node), q.String(), array.node}, nil
}

// constantArray is an array that is the same for every row: a literal, a parameter
// that holds one, or ARRAY[…].
type constantArray struct {
	elements []element
	numbers  bool     // some elements are bare numbers
	typ      string   // of a cast, or ""
	field    string   // what to blame for it
	fields   []string // what to blame for each element, if that differs
	param    int      // the parameter that it comes from, or 0
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

// array reads an array that is the same for every row.
func (r *reader) array(n *pg.Node) (constantArray, error) {
	if t := n.GetTypeCast(); t != nil {
		typ, array, err := typeName(t.TypeName)
		if err != nil {
			return constantArray{}, err
		}
		if !array {
			return constantArray{}, errNoArray()
		}
		a, err := r.bareArray(t.Arg)
		a.typ = typ
		return a, err
	}
	return r.bareArray(n)
}

func errNoArray() error {
	return refuseWhere("an array must stand here: a column, a constant, a parameter or ARRAY[…]")
}

func (r *reader) bareArray(n *pg.Node) (constantArray, error) {
	if list := n.GetAArrayExpr(); list != nil {
		return r.elements(list.Elements)
	}
	if !isConstant(n) {
		return constantArray{}, errNoArray()
	}
	o, err := r.operand(n)
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

func (r *reader) elements(items []*pg.Node) (constantArray, error) {
	a := constantArray{field: "where", elements: make([]element, len(items)), fields: make([]string, len(items))}
	for i, item := range items {
		if !isConstantItem(item) {
			return a, errArrayItems()
		}
		o, err := r.operand(item)
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

// become reads every element as a value of the type that it is compared with. A
// cast to a type that cannot be compared with it is refused, any other is dropped.
// It drops the elements that are not of the type, and returns how many they were:
// elements of a parameter, and numbers; a quoted element is an error.
func (a *constantArray) become(typ string) (dropped int, err error) {
	f := familyOf(typ)
	if _, ok := common(typ, a.typ); a.typ != "" && !ok {
		return 0, errTypes(typ, a.typ)
	}
	if a.numbers && f != integer && f != float && f != decimal {
		return 0, refuseWhere("a number cannot be compared with a value of type " + typ)
	}
	kept := a.elements[:0]
	for i, e := range a.elements {
		if !e.null {
			v := fit{text: e.text}
			switch {
			case !e.strict:
				v = fitOf(typ, e.text)
			case !accepts(typ, e.text):
				v.kind = unclear
			}
			if v.kind == unclear {
				return 0, a.refuse(i, typ)
			}
			if v.kind == outside {
				continue
			}
			e.text = v.text
		}
		kept = append(kept, e)
	}
	dropped = len(a.elements) - len(kept)
	a.elements = kept
	return dropped, nil
}

func (a *constantArray) refuse(i int, typ string) error {
	if i < len(a.fields) && a.fields[i] != "where" {
		return refuse(a.fields[i], "is not a value of type "+typ)
	}
	return refuse(a.field, "holds an element that is not a value of type "+typ)
}

// dropOpenPatterns drops the patterns that end in an escape character, and returns
// how many they were.
func (a *constantArray) dropOpenPatterns() int {
	kept := a.elements[:0]
	for _, e := range a.elements {
		if e.null || !endsInEscape(e.text) {
			kept = append(kept, e)
		}
	}
	dropped := len(a.elements) - len(kept)
	a.elements = kept
	return dropped
}

func (a *constantArray) node(typ string) node {
	if a.param > 0 {
		return &param{source: a.param, family: familyOf(typ), array: true, value: arrayText(a.elements)}
	}
	return literal{arrayText(a.elements)}
}
