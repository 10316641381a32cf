package subset_test

import (
	"iter"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shapegate/shapegate/proxy/subset"
)

func TestValidValue(t *testing.T) {
	for typ, values := range map[string]struct{ valid, invalid []string }{
		"uuid": {
			[]string{id1, "ABCDEF01-2345-6789-abcd-ef0123456789", "00000000-0000-0000-0000-000000000000"},
			[]string{"", "x", strings.ReplaceAll(id1, "-", ""), "{" + id1 + "}", id1 + " ", " " + id1, id1[:35], id1 + "0", strings.Replace(id1, "1", "g", 1), strings.Replace(id1, "-", "1", 1)},
		},
		"int2": {[]string{"0", "-0", "+5", "007", "32767", "-32768"}, []string{"", "-", "32768", "-32769", "1.0", " 1", "1 ", "0x1", "1_0", "1e3", "--1", "١"}},
		"int4": {[]string{"2147483647", "-2147483648"}, []string{"2147483648", "-2147483649"}},
		"int8": {[]string{"9223372036854775807", "-9223372036854775808"}, []string{"9223372036854775808", "-9223372036854775809"}},
		"float4": {
			[]string{"0", "1.5", "-1e10", "3.4e38"},
			[]string{"1e39", "1e-60"},
		},
		"float8": {
			[]string{"0", "-0", "0.000", "0e5", "1", "1.5", "+1.5", "1e5", "1.0E-5", "1e+21", "1.7976931348623157e308"},
			[]string{"", ".5", "5.", "1e", "1e+", "1e400", "1e-400", "Infinity", "NaN", "inf", "0x1p3", "1_0", " 1", "1.5.5", "1e5e5", "-"},
		},
		"numeric": {[]string{"1", "1.50", "-12345678901234567890.123"}, []string{"NaN", "1e400", ""}},
		"bool":    {[]string{"t", "tru", "true", "f", "fals", "false"}, []string{"", "TRUE", "True", "yes", "no", "1", "0", "on", "truee", " true"}},
		"text":    {[]string{"", "a", "ünïcode 🙂", "a\nb", `\`}, []string{"a\x00", "\xff"}},
		"varchar": {[]string{"", "a"}, []string{"\x00"}},
		"date":    {[]string{"2026-01-31", "0001-01-01", "9999-12-31", "2024-02-29"}, []string{"", "2026-1-1", "2026-02-30", "0000-01-01", "2026-01-01T00:00:00Z", "01/02/2026", "infinity", "12026-01-01", "now"}},
		"time":    {[]string{"00:00:00", "23:59:59", "12:34:56.789012"}, []string{"", "24:00:00", "12:34", "1:02:03", "1:02:03.", "12:34:60", "12:34:56.", "12:34:56Z", "12:34:56,5"}},
		"timestamp": {
			[]string{"2026-01-02 03:04:05", "2026-01-02T03:04:05.678", "2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05+00"},
			[]string{"", "2026-01-02", "2026-01-02t03:04:05", "2026-01-02  03:04:05", "2026-01-02 03:04", "2026-01-02 03:04:05 ", "infinity", "2026-01-02 03:04:05 UTC"},
		},
		"timestamptz": {
			[]string{"2026-01-02T03:04:05Z", "2026-01-02 03:04:05+00", "2026-01-02 03:04:05-0530", "2026-01-02 03:04:05.5+05:30"},
			[]string{"2026-01-02T03:04:05", "2026-01-02T03:04:05z", "2026-01-02 03:04:05-00:00", "2026-01-02 03:04:05-00", "2026-01-02 03:04:05+15", "2026-01-02 03:04:05+05:60", "2026-01-02 03:04:05+5", "2026-01-02 03:04:05+05:3", "now"},
		},
		"jsonb": {nil, []string{"{}", "1"}},
		"mood":  {nil, []string{"happy"}},
		"":      {nil, []string{"", "a"}},
	} {
		for _, v := range values.valid {
			if !subset.ValidValue(typ, v) {
				t.Errorf("%q is a %s", v, typ)
			}
		}
		for _, v := range values.invalid {
			if subset.ValidValue(typ, v) {
				t.Errorf("%q is no %s", v, typ)
			}
		}
	}
}

func TestCanonicalValue(t *testing.T) {
	for _, test := range []struct{ typ, value, want string }{
		{"uuid", "ABCDEF01-2345-6789-abcd-EF0123456789", "abcdef01-2345-6789-abcd-ef0123456789"},
		{"int4", "+007", "7"},
		{"int4", "-0", "0"},
		{"int8", "-9223372036854775808", "-9223372036854775808"},
		{"text", "ABC 007", "ABC 007"},
		{"varchar", "", ""},
	} {
		if got, ok := subset.CanonicalValue(test.typ, test.value); !ok || got != test.want {
			t.Errorf("%s %q: got %q, %v", test.typ, test.value, got, ok)
		}
	}
	for _, test := range []struct{ typ, value string }{
		{"uuid", "x"}, {"int4", "2147483648"}, {"text", "\x00"},
		{"bpchar", "a"}, {"float8", "1"}, {"numeric", "1"}, {"timestamptz", "2026-01-02T03:04:05Z"}, {"bool", "true"}, {"mood", "happy"},
	} {
		if got, ok := subset.CanonicalValue(test.typ, test.value); ok {
			t.Errorf("%s %q: got %q, want none", test.typ, test.value, got)
		}
	}
}

func TestArrayLiteral(t *testing.T) {
	for _, test := range []struct {
		values []string
		want   string
	}{
		{nil, `{}`},
		{[]string{""}, `{""}`},
		{[]string{id1, id2}, "{" + id1 + "," + id2 + "}"},
		{[]string{"a_b.c-d", "-1"}, `{a_b.c-d,-1}`},
		{[]string{"NULL", "null", "nulls"}, `{"NULL","null",nulls}`},
		{[]string{`a"b`, `c\d`, "e f", "g,h", "{i}"}, `{"a\"b","c\\d","e f","g,h","{i}"}`},
		{[]string{"\u00a0", "\t", "\n"}, "{\"\u00a0\",\"\t\",\"\n\"}"},
	} {
		if got := subset.ArrayLiteral(slices.Values(test.values)); got != test.want {
			t.Errorf("%q: got %s, want %s", test.values, got, test.want)
		}
	}
}

// Arrays of clients are read as Postgres reads them, and written anew.
func TestArraysOfClients(t *testing.T) {
	for sent, want := range map[string]string{
		`{}`: `{}`, ` { } `: `{}`, `{a}`: `{a}`, "{ a ,\tb }\n": `{a,b}`,
		`{a b}`: `{"a b"}`, `{"a","b"}`: `{a,b}`, `{"" , x}`: `{"",x}`,
		`{NULL,null,"NULL",nUll}`: `{NULL,NULL,"NULL",NULL}`, `{\NULL}`: `{"NULL"}`,
		`{a\"b}`: `{"a\"b"}`, `{"a\\b"}`: `{"a\\b"}`, `{\ a\ }`: `{" a "}`, `{a\ b }`: `{"a b"}`,
		`{é}`: `{"é"}`, `{\é}`: `{"é"}`,
	} {
		r, err := parseWhere(t, "title = ANY($1)", values(sent))
		if err != nil {
			t.Errorf("%s: %v", sent, err)
			continue
		}
		if got := r.UpstreamParams(0)["1"]; got != want {
			t.Errorf("%s: got %s, want %s", sent, got, want)
		}
	}
	for _, sent := range []string{
		"", "a", "{", "}", "{a", "a}", "{a}}", "{a}b", "{a,}", "{,a}", "{a,,b}", "{,}", `{"a}`, `{"a"b}`, `{a"b"}`, `{a\`, `{"a\`,
		"{{a}}", "{{}}", "[0:1]={a,b}", "{a}{b}", "{ , }", `{"a" "b"}`,
	} {
		_, err := parseWhere(t, "title = ANY($1)", values(sent))
		if err == nil {
			t.Errorf("%s: was accepted", sent)
			continue
		}
		checkRefused(t, err, "params.1", "is not a one-dimensional array, {a,b}")
	}
}

// readArray reads an array literal the way Postgres' manual describes it. It takes
// no short cuts.
func readArray(t *testing.T, s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if s == "{}" {
			return
		}
		if len(s) < 2 || s[0] != '{' {
			t.Fatalf("%q has no braces", s)
		}
		for i := 1; ; i++ {
			var v strings.Builder
			quoted := s[i] == '"'
			if quoted {
				for i++; s[i] != '"'; i++ {
					if s[i] == '\\' {
						i++
					}
					v.WriteByte(s[i])
				}
				i++
			} else {
				for ; s[i] != ',' && s[i] != '}'; i++ {
					if strings.IndexByte("{\"\\ \t\n\r\v\f", s[i]) >= 0 {
						t.Fatalf("%q: %q is not quoted", s, s[i])
					}
					v.WriteByte(s[i])
				}
				if v.Len() == 0 || strings.EqualFold(v.String(), "null") {
					t.Fatalf("%q: %q is not quoted", s, v.String())
				}
			}
			if !yield(v.String()) {
				return
			}
			if s[i] == '}' {
				if i != len(s)-1 {
					t.Fatalf("%q goes on after its end", s)
				}
				return
			}
			if s[i] != ',' {
				t.Fatalf("%q: no comma at %d", s, i)
			}
		}
	}
}

func FuzzArrayLiteral(f *testing.F) {
	for _, seed := range []string{"", "a|b", "|", "NULL|null", `"|\`, "{|}|,", id1 + "|" + id2, " |\t|\n", "ü|🙂", "a b|c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, joined string) {
		sent := strings.Split(joined, "|")
		text := subset.ArrayLiteral(slices.Values(sent))
		if got := slices.Collect(readArray(t, text)); !slices.Equal(got, sent) {
			t.Fatalf("%q was written as %s, which reads as %q", sent, text, got)
		}
		if !utf8.ValidString(joined) || strings.Contains(joined, "\x00") {
			return
		}
		// The package's own reader, which takes what clients write, agrees.
		r, err := parseWhere(t, "title = ANY($1)", values(text))
		if err != nil {
			t.Fatalf("%s is refused: %v", text, err)
		}
		if got := r.UpstreamParams(0)["1"]; got != text {
			t.Fatalf("%s was read and written again as %s", text, got)
		}
		// And what a client writes in any way reads as what is sent.
		if r, err := parseWhere(t, "title = ANY($1)", values(joined)); err == nil {
			again := r.UpstreamParams(0)["1"]
			if r, err := parseWhere(t, "title = ANY($1)", values(again)); err != nil || r.UpstreamParams(0)["1"] != again {
				t.Fatalf("%q goes upstream as %q, which reads as another: %v", joined, again, err)
			}
		}
	})
}
