package electrictest

import "testing"

// TestValuesAreStoredAsPostgresPrintsThem checks Postgres' output forms.
func TestValuesAreStoredAsPostgresPrintsThem(t *testing.T) {
	for _, c := range []struct {
		typ      string
		array    bool
		mods     []int
		in, want string // want empty: refused
	}{
		{typ: "bool", in: "T", want: "true"},
		{typ: "bool", in: "off", want: "false"},
		{typ: "bool", in: "o"},
		{typ: "int2", in: " 7 ", want: "7"},
		{typ: "int2", in: "40000"},
		{typ: "float8", in: "1e3", want: "1000"},
		{typ: "numeric", in: "01.50", want: "1.50"},
		{typ: "numeric", mods: []int{10, 2}, in: "1.005e1", want: "10.05"},
		{typ: "numeric", in: "1/2"},
		{typ: "uuid", in: "{AAAAAAAAAAAA4AAA8AAAAAAAAAAAAAAA}", want: "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},
		{typ: "uuid", in: "x"},
		{typ: "timestamptz", in: "2026-01-01T00:00:00Z", want: "2026-01-01 00:00:00+00"},
		{typ: "timestamptz", in: "2026-01-01 00:00:00.120+02", want: "2025-12-31 22:00:00.12+00"},
		{typ: "timestamp", in: "2026-01-01T00:00:00+02:00", want: "2026-01-01 00:00:00"},
		{typ: "date", in: "2026-01-01", want: "2026-01-01"},
		{typ: "time", in: "01:02", want: "01:02:00"},
		{typ: "jsonb", in: `{"bb":1,"a":[true,null],"a":2.50}`, want: `{"a": 2.50, "bb": 1}`},
		{typ: "jsonb", in: `{`},
		{typ: "json", in: `{"a":1}`, want: `{"a":1}`},
		{typ: "bpchar", mods: []int{4}, in: "ab", want: "ab  "},
		{typ: "varchar", mods: []int{2}, in: "abc"},
		{typ: "text", in: "a\x00"},
		{typ: "text", array: true, in: `{ a , "b c", null, "null", "" , q\"q}`, want: `{a,"b c",NULL,"null","","q\"q"}`},
		{typ: "bool", array: true, in: `{true,f}`, want: `{t,f}`},
		{typ: "int4", array: true, in: `{1,x}`},
		{typ: "int4", array: true, in: `{1,}`},
		{typ: "int4", array: true, in: `{{1},{2}}`, want: `{{1},{2}}`},
		{typ: "int4", array: true, in: `{}`, want: `{}`},
	} {
		got, err := columnType{typ{c.typ, c.array}, c.mods}.canonical(c.in)
		if (err != nil) != (c.want == "") || got != c.want {
			t.Errorf("%s %q: %q (%v), want %q", c.typ, c.in, got, err, c.want)
		}
	}
}
