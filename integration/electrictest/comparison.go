package electrictest

import "slices"

// comparisons says when an operator holds, by how its operands compare.
var comparisons = map[string]func(int) bool{
	"=":  func(c int) bool { return c == 0 },
	"<>": func(c int) bool { return c != 0 },
	"<":  func(c int) bool { return c < 0 },
	"<=": func(c int) bool { return c <= 0 },
	">":  func(c int) bool { return c > 0 },
	">=": func(c int) bool { return c >= 0 },
}

// compare refuses what Electric has no operator for: order among booleans and
// arrays, and anything at all about json, bytea and types that it does not know.
func (c *rules) compare(op string, loc int32, t typ, a, b *expr, holds func(int) bool) (*expr, error) {
	equality := op == "=" || op == "<>"
	if t.array && kinds[t.name] != kindOpaque && equality {
		element := t.element().kind()
		return strict2(typeBool, loc, a, b, func(x, y datum) datum {
			same := slices.EqualFunc(x.list, y.list, func(p, q datum) bool {
				return p.null == q.null && (p.null || compareDatums(element, p, q) == 0)
			})
			return boolDatum(same == (op == "="))
		}), nil
	}
	k := t.kind()
	if k == kindOpaque || k == kindBool && !equality {
		return nil, sqlErrorf(loc, "Could not select an operator overload")
	}
	e := strict2(typeBool, loc, a, b, func(x, y datum) datum { return boolDatum(holds(compareDatums(k, x, y))) })
	if op == "=" {
		e.ids = c.scope.keySet(a, b)
	}
	return e, nil
}
