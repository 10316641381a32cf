package subset

import pg "github.com/pganalyze/pg_query_go/v6"

// Columns are the columns that a client may name, by their names as they stand in
// the catalog.
type Columns map[string]Column

// Table is the one table that a client's SQL is about.
type Table struct {
	Schema, Name string
	Columns      Columns
}

// nameOf returns the name of the column that a reference is to. It may stand alone, behind
// its table, and behind its table and that one's schema: query builders write it so. found is
// false where n is no reference to a column of this table.
func (t *Table) nameOf(n *pg.Node) (name string, found bool) {
	fields := n.GetColumnRef().GetFields()
	own := [...]string{t.Schema, t.Name}
	last := len(fields) - 1
	if last < 0 || last > len(own) || fields[last].GetString_() == nil { // documents.* has a star
		return "", false
	}
	for i, name := range own[len(own)-last:] {
		if field := fields[i].GetString_(); field == nil || field.Sval != name {
			return "", false
		}
	}
	return fields[last].GetString_().Sval, true
}

// Column is what Electric's electric-schema header says of a column (recording
// 06).
type Column struct {
	Type string // Postgres' name of the type: uuid, int4, text
	Dims int    // above 0: an array of Type
}

// family is a set of types whose values can be compared with each other without
// a cast that could fail.
type family uint8

const (
	incomparable family = iota // nothing but IS NULL
	boolean
	integer
	float
	decimal
	textual
	uuid
	date
	clock
	timestamp
	timestamptz
	enum // a type made in the database: = and <> with its own values
)

// families knows the built-in types. A type that is not here was made in the
// database; Electric compares such values only if it is an enum.
var families = map[string]family{
	"bool": boolean,
	"int2": integer, "int4": integer, "int8": integer,
	"float4": float, "float8": float,
	"numeric": decimal,
	"text":    textual, "varchar": textual, "bpchar": textual, "name": textual,
	"uuid": uuid,
	"date": date, "time": clock, "timestamp": timestamp, "timestamptz": timestamptz,

	"": incomparable, "bit": incomparable, "box": incomparable, "bytea": incomparable,
	"char": incomparable, "cid": incomparable, "cidr": incomparable, "circle": incomparable,
	"datemultirange": incomparable, "daterange": incomparable, "hstore": incomparable,
	"inet": incomparable, "int4multirange": incomparable, "int4range": incomparable,
	"int8multirange": incomparable, "int8range": incomparable, "interval": incomparable,
	"json": incomparable, "jsonb": incomparable, "jsonpath": incomparable, "line": incomparable,
	"lseg": incomparable, "macaddr": incomparable, "macaddr8": incomparable, "money": incomparable,
	"nummultirange": incomparable, "numrange": incomparable, "oid": incomparable,
	"path": incomparable, "pg_lsn": incomparable, "point": incomparable, "polygon": incomparable,
	"regclass": incomparable, "regproc": incomparable, "regtype": incomparable,
	"tid": incomparable, "timetz": incomparable, "tsmultirange": incomparable,
	"tsquery": incomparable, "tsrange": incomparable, "tstzmultirange": incomparable,
	"tstzrange": incomparable, "tsvector": incomparable, "varbit": incomparable,
	"xid": incomparable, "xid8": incomparable, "xml": incomparable,
}

func familyOf(typ string) family {
	if f, ok := families[typ]; ok {
		return f
	}
	return enum
}

// ordered reports whether values of the family have < and >, to Electric too.
func (f family) ordered() bool { return f != incomparable && f != boolean && f != enum }

// numeric reports whether values of the family are numbers.
func (f family) numeric() bool { return f == integer || f == float || f == decimal }

// castable are the types that a constant may be cast to, by the names that the
// parser knows them by.
var castable = map[string]bool{
	"uuid": true, "text": true, "varchar": true, "bool": true,
	"int2": true, "int4": true, "int8": true, "float4": true, "float8": true,
	"date": true, "time": true, "timestamp": true, "timestamptz": true,
}

// common returns the type in which values of two types are compared or merged, and
// whether that can be done whatever the values.
func common(a, b string) (string, bool) {
	if a == b {
		return a, familyOf(a) != incomparable
	}
	f, g := familyOf(a), familyOf(b)
	if f > g {
		a, b, f, g = b, a, g, f
	}
	switch {
	case f == integer && g == integer:
		return widerInteger(a, b), true
	case f == textual && g == textual:
		return "text", true
	case f == float && g == float, f == integer && g == float:
		return "float8", true
	case f == integer && g == decimal:
		return b, true
	}
	return "", false
}

func widerInteger(a, b string) string {
	// The names sort as the widths do.
	return max(a, b)
}
