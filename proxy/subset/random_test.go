package subset_test

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// author writes wheres that ought to be accepted, with as few parentheses as a
// person might set.
type author struct {
	t      *rapid.T
	params params
}

func (a *author) pick(options ...string) string { return rapid.SampledFrom(options).Draw(a.t, "pick") }

// constant returns a constant, or a parameter with its value.
func (a *author) constant(value string) string {
	if a.pick("literal", "param") == "literal" {
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	n := strconv.Itoa(len(a.params) + 1)
	a.params[n] = value
	return "$" + n
}

func (a *author) text(depth int) string {
	column := a.pick("title", `"owner"`, `"we""ird"`, `"Docs"."title"`, `app."Docs".owner`)
	if depth == 0 {
		return column
	}
	switch a.pick("column", "function", "concat", "join", "coalesce") {
	case "function":
		return a.pick("lower", "UPPER") + "(" + a.text(depth-1) + ")"
	case "concat":
		return "concat(" + column + "," + a.anyText() + ")"
	case "join":
		return a.text(depth-1) + " || " + a.anyText()
	case "coalesce":
		return "coalesce(" + a.text(depth-1) + ", " + a.anyText() + ")"
	}
	return column
}

func (a *author) anyText() string {
	return a.constant(a.pick("", "a", "A%", `\`, "it's", `"x"`, "ü", "a_b", "NULL"))
}

func (a *author) number() string {
	switch a.pick("column", "sum", "coalesce", "length") {
	case "sum":
		s := a.pick("points", "small", "big", "price", "ratio")
		for range rapid.IntRange(1, 3).Draw(a.t, "terms") {
			s += a.pick(" + ", " - ") + a.pick("1", "2.5", "points", "ratio", "(small - 1)", "-3", a.constant("7"))
		}
		return s
	case "coalesce":
		return "coalesce(" + a.pick("points", "small", "price") + ", " + a.constant("0") + ")"
	case "length":
		return "length(" + a.text(1) + ")"
	}
	return a.pick("points", "small", "big", "price", "ratio")
}

func (a *author) comparison() string {
	op := a.pick(" = ", " <> ", " < ", " >= ", " IS DISTINCT FROM ", " IS NOT DISTINCT FROM ")
	switch a.pick("text", "number", "uuid", "time", "null", "numeric") {
	case "text":
		return a.text(2) + op + a.pick(a.text(1), a.anyText(), "lower("+a.anyText()+")")
	case "number":
		return a.number() + op + a.pick(a.number(), a.constant("5"), "-5")
	case "uuid":
		return "id" + op + a.constant(id1)
	case "time":
		return a.pick("created_at", `"dueBy"`) + op + a.constant("2026-01-02T03:04:05.678Z")
	case "null":
		return a.pick("points", "title", "meta", "tags") + " IS " + a.pick("", "NOT ") + "NULL"
	}
	return "amount" + op + a.pick("points", a.constant("1.5"), "2")
}

func (a *author) membership() string {
	switch a.pick("in", "any", "array", "column", "between", "like", "arrays", "enum", "misfit", "bits") {
	case "arrays":
		return "tags" + a.pick(" @> ", " <@ ", " && ", " = ", " <> ") + a.pick("codes", "ARRAY["+a.anyText()+", 'x']", a.constant(`{a,"b c",NULL}`))
	case "enum":
		return "mood" + a.pick(" = ", "::text <> ", "::text LIKE ") + a.constant("happy")
	case "misfit":
		n := strconv.Itoa(len(a.params) + 1)
		a.params[n] = a.pick("temp-1", "99999999999999999999", "1.5", id1, "-3e2")
		return a.pick("id", "points", "small", "price", "big::float8") + a.pick(" = ", " <> ", " IS DISTINCT FROM ", " < ", " >= ") + "$" + n
	case "bits":
		return a.pick("points", "~big", "small # points") + " & " + a.constant("4") + a.pick(" = 4", " <> small", " IS NULL")
	case "in":
		return a.text(1) + a.pick(" IN (", " NOT IN (") + a.anyText() + ", NULL, " + a.anyText() + ")"
	case "any":
		return a.pick("points = ANY(", "small <> ALL(") + a.constant(a.pick("{}", "{1,2}", `{"1",NULL}`)) + ")"
	case "array":
		return a.text(1) + " = ANY(ARRAY[" + a.anyText() + ", 'x'])"
	case "column":
		return a.anyText() + " = ANY(tags)"
	case "between":
		return a.pick("points", "big") + a.pick(" BETWEEN ", " NOT BETWEEN ") + a.constant("1") + " AND " + a.pick("5", "small")
	}
	pattern := a.constant(a.pick("a%", "%", `\\`, `\%`, "_", ""))
	return a.text(1) + a.pick(" LIKE ", " NOT ILIKE ") + a.pick(pattern, pattern+" || '%'", "upper("+pattern+")", a.text(1))
}

func (a *author) condition(depth int) string {
	if depth == 0 {
		return a.pick("done", "true", "NOT done", "done = "+a.constant("t"), "(done)")
	}
	switch a.pick("comparison", "membership", "and", "or", "not", "grouped", "test", "equal", "coalesce") {
	case "comparison":
		return a.comparison()
	case "membership":
		return a.membership()
	case "and":
		return a.condition(depth-1) + " AND " + a.condition(depth-1)
	case "or":
		return a.condition(depth-1) + " OR " + a.condition(depth-1)
	case "not":
		return "NOT (" + a.condition(depth-1) + ")"
	case "grouped":
		return "(" + a.condition(depth-1) + ")"
	case "test":
		return "(" + a.condition(depth-1) + ") IS " + a.pick("NULL", "NOT NULL", "TRUE", "NOT FALSE", "UNKNOWN")
	case "equal":
		return "(" + a.condition(depth-1) + ")" + a.pick(" = ", " IS DISTINCT FROM ") + "(" + a.condition(depth-1) + ")"
	}
	return "coalesce(" + a.condition(depth-1) + ", false)"
}

// What people and clients write honestly is accepted, is safe as it is printed,
// and keeps its tree when it is read again.
func TestRandomWheres(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := &author{rt, params{}}
		where := a.condition(4)
		r, err := parseWhere(t, where, a.params)
		if err != nil {
			rt.Fatalf("%s %v: %v", where, a.params, err)
		}
		sql := r.Where.SQL(0)
		checkSafe(t, sql)
		again, err := parseWhere(t, sql, asked(r.UpstreamParams(0)))
		if err != nil {
			rt.Fatalf("%s is printed as %s: %v", where, sql, err)
		}
		if again.Where.SQL(0) != sql {
			rt.Fatalf("%s is printed as %s, and then as %s", where, sql, again.Where.SQL(0))
		}
	})
}
