package electrictest

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// arrays compiles the ways to write an array and to take an element.
type arrays struct{ *compiler }

// literal is ARRAY[…].
func (c arrays) literal(n *pg.A_ArrayExpr) (*expr, error) {
	elements, err := c.exprs(n.Elements)
	if err != nil {
		return nil, err
	}
	t, err := c.unify(n.Location, elements)
	if err != nil {
		return nil, err
	}
	if t.array {
		return nil, sqlErrorf(n.Location, "arrays of several dimensions are not imitated")
	}
	return computed(typ{name: t.name, array: true}, n.Location, elements, func(cells []cell) datum {
		list := make([]datum, len(elements))
		for i, e := range elements {
			list[i] = e.get(cells)
		}
		return datum{list: list}
	}), nil
}

// element is a[1]: an element, NULL where there is none.
func (c arrays) element(n *pg.A_Indirection) (*expr, error) {
	arg, err := c.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	at := n.Indirection[0].GetAIndices()
	if len(n.Indirection) != 1 || at.GetUidx() == nil || at.IsSlice || !arg.typ.array {
		return nil, sqlErrorf(arg.loc, "slices and subscripts of several dimensions are not imitated")
	}
	index, err := c.expr(at.Uidx)
	if err != nil {
		return nil, err
	}
	if index, err = c.give(index, typeInt8); err != nil {
		return nil, err
	}
	if index.typ.kind() != kindInt {
		return nil, sqlErrorf(index.loc, "%s cannot be matched to int8", index.typ)
	}
	return strict2(arg.typ.element(), arg.loc, arg, index, func(list, i datum) datum {
		if i.i < 1 || i.i > int64(len(list.list)) {
			return sqlNull
		}
		return list.list[i.i-1]
	}), nil
}

func (c *rules) arrayOperator(op string, loc int32, a, b *expr) (*expr, error) {
	args := []*expr{a, b}
	t, err := c.unify(loc, args)
	if err != nil {
		return nil, err
	}
	if !t.array {
		return nil, sqlErrorf(loc, "Could not select an operator overload")
	}
	if op == "<@" {
		args[0], args[1] = args[1], args[0]
	}
	k := t.element().kind()
	has := func(list []datum, d datum) bool {
		return !d.null && slices.ContainsFunc(list, func(e datum) bool { return !e.null && compareDatums(k, e, d) == 0 })
	}
	return strict2(typeBool, loc, args[0], args[1], func(x, y datum) datum {
		for _, d := range y.list {
			if has(x.list, d) == (op == "&&") {
				return boolDatum(op == "&&")
			}
		}
		return boolDatum(op != "&&")
	}), nil
}

func convertArray(e *expr, t typ) *expr {
	if e.typ.element().kind() != kindInt || t.kind() != kindFloat {
		return e
	}
	return strict1(typ{name: t.name, array: true}, e.loc, e, func(d datum) datum {
		list := make([]datum, len(d.list))
		for i, v := range d.list {
			list[i] = datum{null: v.null, f: float64(v.i)}
		}
		return datum{list: list}
	})
}
