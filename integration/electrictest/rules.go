package electrictest

import "fmt"

// rules make expressions of expressions: they give literals their types, and choose
// operators by types.
type rules struct {
	scope scope

	// statement says that the expression stands in an INSERT or UPDATE of Exec,
	// where Postgres' own functions may be used.
	statement bool
}

// give turns a literal without a type into a constant of one.
func (c *rules) give(e *expr, t typ) (*expr, error) {
	if !e.untyped() {
		return e, nil
	}
	if e.param != nil && e.param.typed != nil { // used twice in one expression
		if e.param.typed.typ != t {
			return nil, fmt.Errorf("type conflict for parameter: %s and %s", t, e.param.typed.typ)
		}
		return e.param.typed, nil
	}
	out := constExpr(t, e.loc, sqlNull)
	if e.literal != nil {
		d, err := parseConst(t, *e.literal)
		if err != nil && c.statement {
			var text string
			if text, err = (columnType{typ: t}).canonical(*e.literal); err == nil {
				d = decode(t, text)
			}
		}
		if err != nil {
			return nil, sqlErrorf(e.loc, "invalid syntax for type %s: %s", t, *e.literal)
		}
		out.value = d
	}
	if e.param != nil {
		e.param.typed = out
	}
	return out, nil
}

// unify gives the literals among the expressions the type of the others, text if
// there are none, and returns the type that they have in common.
func (c *rules) unify(loc int32, list []*expr) (typ, error) {
	common := typ{}
	for _, e := range list {
		switch {
		case e.untyped():
		case common.name == "":
			common = e.typ
		default:
			t, ok := commonType(common, e.typ)
			if !ok {
				return typ{}, sqlErrorf(loc, "Could not select an operator overload")
			}
			common = t
		}
	}
	if common.name == "" {
		common = typeText
	}
	for i, e := range list {
		var err error
		if list[i], err = c.give(e, common); err != nil {
			return typ{}, err
		}
		list[i] = convert(list[i], common)
	}
	return common, nil
}

// commonType returns the type that both are implicitly cast to.
func commonType(a, b typ) (typ, bool) {
	if a == b {
		return a, true
	}
	if a.array || b.array {
		return typ{}, false
	}
	ka, kb := a.kind(), b.kind()
	switch {
	case ka == kindText && kb == kindText:
		return typeText, true
	case ka == kindInt && kb == kindInt:
		return typeInt8, true
	case a.numeric() && b.numeric():
		return typeFloat, true
	case ka == kindDate && kb == kindTimestamp, ka == kindTimestamp && kb == kindDate:
		return typ{name: "timestamp"}, true
	default:
		return typ{}, false
	}
}

// convert casts between types that commonType joins.
func convert(e *expr, t typ) *expr {
	if e.typ.kind() == kindInt && t.kind() == kindFloat {
		return strict1(t, e.loc, e, func(d datum) datum { return datum{f: float64(d.i)} })
	}
	return e
}
