package electrictest

import (
	"errors"
	"math"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// castable are the types that Electric casts to.
var castable = map[string]bool{
	"bool": true, "date": true, "float4": true, "float8": true, "int2": true, "int4": true, "int8": true,
	"numeric": true, "text": true, "varchar": true, "time": true, "timestamp": true, "timestamptz": true, "uuid": true,
}

func (c *compiler) cast(n *pg.TypeCast) (*expr, error) {
	arg, err := c.expr(n.Arg)
	if err != nil {
		return nil, err
	}
	t := typ{name: name(n.TypeName.Names), array: len(n.TypeName.ArrayBounds) > 0}
	if !castable[t.name] && !c.statement {
		return nil, sqlErrorf(n.TypeName.Location, "unsupported type %s", t.name)
	}
	if arg.untyped() {
		out, err := c.give(arg, t)
		var se *sqlError
		if errors.As(err, &se) {
			return nil, sqlErrorf(arg.loc, "could not cast value %q from text to %s", *arg.literal, t)
		}
		return out, err
	}
	return castExpr(arg, t)
}

// castExpr casts between types, by way of text where there is no shorter one. A
// value that is not of the type becomes NULL, where Postgres would fail.
func castExpr(arg *expr, t typ) (*expr, error) {
	from := arg.typ
	if from.array || t.array {
		return castArray(arg, t)
	}
	switch {
	case from == t, from.kind() == kindText && t.kind() == kindText,
		from.kind() == kindInt && t.kind() == kindInt && t == typeInt8:
		out := *arg
		out.typ = t
		return &out, nil
	case from.kind() == kindInt && t.kind() == kindFloat:
		return strict1(t, arg.loc, arg, func(d datum) datum { return datum{f: float64(d.i)} }), nil
	case from.kind() == kindFloat && t.kind() == kindInt:
		return strict1(t, arg.loc, arg, func(d datum) datum { return datum{i: int64(math.RoundToEven(d.f))} }), nil
	case from.kind() == kindBool && t.kind() == kindInt, from.kind() == kindInt && t.kind() == kindBool:
		return strict1(t, arg.loc, arg, func(d datum) datum {
			if t.kind() == kindBool {
				return boolDatum(d.i != 0)
			}
			return d
		}), nil
	case from.kind() != kindText && t.kind() != kindText && !(from.kind() == kindTimestamptz || from.kind() == kindTimestamp || from.kind() == kindDate):
		return nil, sqlErrorf(arg.loc, "unknown cast from type %s to type %s", from, t)
	}
	target := columnType{typ: t}
	return strict1(t, arg.loc, arg, func(d datum) datum {
		text, err := target.canonical(encode(from, d))
		if err != nil {
			return sqlNull
		}
		return decode(t, text)
	}), nil
}

// castArray casts an array of one type to an array of another, where both hold
// their values alike.
func castArray(arg *expr, t typ) (*expr, error) {
	from, to := arg.typ.element().kind(), t.element().kind()
	switch {
	case arg.typ == t:
	case !arg.typ.array || !t.array || from == kindOpaque,
		from != to && !(from == kindInt && to == kindFloat),
		from == kindInt && to == kindInt && t.name != "int8":
		return nil, sqlErrorf(arg.loc, "unknown cast from type %s to type %s", arg.typ, t)
	}
	out := *convertArray(arg, t.element())
	out.typ = t
	return &out, nil
}
