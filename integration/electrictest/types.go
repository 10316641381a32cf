package electrictest

import (
	"math"
	"strconv"
)

// typ is a Postgres type, or an array of one. The zero value stands for the
// unknown type of a quoted literal that nothing has given a type yet.
type typ struct {
	name  string
	array bool
}

func (t typ) String() string {
	switch {
	case t.name == "":
		return "unknown"
	case t.array:
		return t.name + "[]"
	default:
		return t.name
	}
}

func (t typ) element() typ { return typ{name: t.name} }

var (
	typeBool  = typ{name: "bool"}
	typeInt4  = typ{name: "int4"}
	typeInt8  = typ{name: "int8"}
	typeFloat = typ{name: "float8"}
	typeNum   = typ{name: "numeric"}
	typeText  = typ{name: "text"}
)

// kind says how values of a type are held and compared.
type kind uint8

const (
	kindOpaque kind = iota // kept as text; neither compared nor computed with
	kindBool
	kindInt
	kindFloat // numeric too: as in Electric, a numeric is compared as a float
	kindText
	kindUUID
	kindDate
	kindTime
	kindTimestamp
	kindTimestamptz
)

var kinds = map[string]kind{
	"bool": kindBool,
	"int2": kindInt, "int4": kindInt, "int8": kindInt,
	"float4": kindFloat, "float8": kindFloat, "numeric": kindFloat,
	"text": kindText, "varchar": kindText, "bpchar": kindText, "name": kindText,
	"uuid": kindUUID,
	"date": kindDate, "time": kindTime, "timestamp": kindTimestamp, "timestamptz": kindTimestamptz,
}

func (t typ) kind() kind {
	if t.array {
		return kindOpaque
	}
	return kinds[t.name]
}

func (t typ) numeric() bool { return t.kind() == kindInt || t.kind() == kindFloat }

// intRange returns the least and the greatest value of an integer type.
func intRange(name string) (lo, hi int64) {
	switch name {
	case "int2":
		return math.MinInt16, math.MaxInt16
	case "int4":
		return math.MinInt32, math.MaxInt32
	default:
		return math.MinInt64, math.MaxInt64
	}
}

// datum is one SQL value while an expression is evaluated. Which field counts
// follows from its type's kind: i for booleans (0 and 1), integers and times
// (microseconds), f for floats, s for all else, list for arrays.
type datum struct {
	null bool
	i    int64
	f    float64
	s    string
	list []datum
}

var sqlNull = datum{null: true}

func boolDatum(b bool) datum {
	if b {
		return datum{i: 1}
	}
	return datum{}
}

func (d datum) isTrue() bool  { return !d.null && d.i == 1 }
func (d datum) isFalse() bool { return !d.null && d.i == 0 }

// decode reads a stored value. The text came from canonical, so it is of its
// type.
func decode(t typ, s string) datum {
	if t.array {
		items, _, err := parseArray(s)
		if err != nil {
			return sqlNull
		}
		list := make([]datum, len(items))
		for i, item := range items {
			if list[i] = sqlNull; item != nil {
				list[i] = decode(t.element(), *item)
			}
		}
		return datum{list: list}
	}
	switch t.kind() {
	case kindBool:
		return boolDatum(s == "true" || s == "t") // t: in an array
	case kindInt:
		n, _ := strconv.ParseInt(s, 10, 64)
		return datum{i: n}
	case kindFloat:
		f, _ := strconv.ParseFloat(s, 64)
		return datum{f: f}
	case kindDate, kindTime, kindTimestamp, kindTimestamptz:
		micros, _ := parseTime(t.kind(), s)
		return datum{i: micros}
	default:
		return datum{s: s}
	}
}

// encode spells a value in Postgres' text form.
func encode(t typ, d datum) string {
	if t.array {
		items := make([]*string, len(d.list))
		for i, e := range d.list {
			if !e.null {
				s := encode(t.element(), e)
				items[i] = &s
			}
		}
		return formatArray(items)
	}
	switch t.kind() {
	case kindBool:
		return strconv.FormatBool(d.i == 1)
	case kindInt:
		return strconv.FormatInt(d.i, 10)
	case kindFloat:
		return formatFloat(d.f, t.name)
	case kindDate, kindTime, kindTimestamp, kindTimestamptz:
		return formatTime(t.kind(), d.i)
	default:
		return d.s
	}
}

func formatFloat(f float64, name string) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	bits, format := 64, byte('g')
	switch name {
	case "float4":
		bits = 32
	case "numeric":
		format = 'f'
	}
	if exp := math.Abs(f); exp == 0 || exp >= 1e-4 && exp < 1e15 {
		format = 'f'
	}
	return strconv.FormatFloat(f, format, -1, bits)
}

// compareDatums orders two values that are not NULL, both of a type of kind k.
func compareDatums(k kind, a, b datum) int {
	switch k {
	case kindFloat:
		switch {
		case a.f < b.f:
			return -1
		case a.f > b.f:
			return 1
		}
		return 0
	case kindText, kindUUID, kindOpaque:
		switch {
		case a.s < b.s:
			return -1
		case a.s > b.s:
			return 1
		}
		return 0
	default:
		switch {
		case a.i < b.i:
			return -1
		case a.i > b.i:
			return 1
		}
		return 0
	}
}
