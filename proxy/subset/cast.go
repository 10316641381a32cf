package subset

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// safeCasts are the casts of columns that no value can fail, and that Electric
// knows: to a wider type, and to text. Casts to text of timestamptz, bytea and json
// are none that Electric knows.
var safeCasts = map[string][]string{
	"int2":   {"int4", "int8", "float4", "float8", "text"},
	"int4":   {"int8", "float4", "float8", "text", "bool"},
	"int8":   {"float4", "float8", "text"},
	"float4": {"float8", "text"},
	"float8": {"text"},
	"bool":   {"int4", "text"},

	"text": {"varchar"}, "varchar": {"text"}, "bpchar": {"text", "varchar"}, "name": {"text"},

	"uuid": {"text"}, "numeric": {"text"}, "date": {"text"}, "time": {"text"}, "timestamp": {"text"}, "interval": {"text"},
}

func safeCast(from, to string) bool {
	if familyOf(from) == enum {
		return to == "text"
	}
	return from == to || slices.Contains(safeCasts[from], to)
}

// castTo returns a constant or a parameter under a cast.
func (o operand) castTo(typ string) (operand, error) {
	if !o.untyped {
		if o.typ != typ {
			return operand{}, refuseWhere("a boolean can only be cast to bool")
		}
		return o, nil
	}
	if err := o.adopt(typ); err != nil {
		return operand{}, err
	}
	if o.misfit != nil {
		// How it compares with values of another type is not known.
		o.misfit = &fit{kind: outside}
	}
	o.node = cast(o.node, typ)
	return o, nil
}

func errCast() error {
	return refuseWhere("only constants, parameters and columns can be cast, and columns only to what every value has: a wider type, or text")
}

// widened returns a column as a value of a type that safeCast knows.
func (o operand) widened(typ string) operand {
	if o.typ == typ {
		return o
	}
	to := typ
	if o.array {
		to += "[]"
	}
	o.node, o.typ = cast(o.node, to), typ
	return o
}

// typeName reads the name of a type that constants may be cast to.
func typeName(t *pg.TypeName) (name string, array bool, err error) {
	names := t.GetNames()
	// Types that are keywords of SQL come with the schema: int, boolean, time.
	if len(names) == 2 && names[0].GetString_().GetSval() == "pg_catalog" {
		names = names[1:]
	}
	if len(names) == 1 {
		name = names[0].GetString_().GetSval()
	}
	if !castable[name] || t.Setof || t.PctType || len(t.Typmods) > 0 || t.Typemod != -1 || len(t.ArrayBounds) > 1 {
		return "", false, refuseWhere("a cast to this type is not allowed")
	}
	return name, len(t.ArrayBounds) == 1, nil
}
