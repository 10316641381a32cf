package predicate_test

import (
	"errors"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/shapegate/shapegate/schema/predicate"
)

func TestParseRefusesWhatIsNotOneExpression(t *testing.T) {
	for _, test := range []struct{ sql, want string }{
		{"", "empty"},
		{" \n", "empty"},
		{"a = 1; DROP TABLE x", `";"`},
		{"a = 1;", `";"`},
		{"a = 1 -- and more", "comments"},
		{"a /* x */ = 1", "comments"},
		{"a = 1 GROUP BY b", "group clause"},
		{"a = 1 ORDER BY b", "sort clause"},
		{"a = 1 LIMIT 1", "limit"},
		{"a = 1 FOR UPDATE", "locking clause"},
		{"a = 1 UNION SELECT 2", "is not allowed"},
		{"a = 1 WINDOW w AS ()", "window clause"},
		{"a = 1) OR (true", "syntax error"},
		{"a = ", "syntax error"},
		{"a = 1\x00 OR true", "NUL"},
		{"a = '\xff'", "UTF-8"},
		{"a = 'x", "unterminated"},
	} {
		if _, err := predicate.Parse(test.sql); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%q) = %v, want an error with %q", test.sql, err, test.want)
		}
	}
}

func TestSyntaxErrorsCountFromTheExpression(t *testing.T) {
	_, err := predicate.Parse("a = = 1")
	if err == nil || !strings.Contains(err.Error(), "(character 3)") && !strings.Contains(err.Error(), "(character 5)") {
		t.Errorf("got %v, want the place of the second =", err)
	}
}

// The printer of libpg_query forgets the parentheses of each of these, and
// Electric uses the same printer on what it is sent. Glued behind an AND, most
// of them would undo what stands in front of it.
func TestPrintRefusesWhatDoesNotSurvive(t *testing.T) {
	for _, sql := range []string{
		"(a OR b) IS NULL",
		"(a OR b) IS NOT NULL",
		"(a OR b) IN (c, d)",
		"(a OR b) BETWEEN c AND d",
		"c BETWEEN d AND (a OR b)",
		"(NOT a) IS NULL",
		"c IS NOT DISTINCT FROM (a OR b)",
	} {
		for _, whole := range []string{sql, `id = ANY($1) AND (` + sql + `)`} {
			node, err := predicate.Parse(whole)
			if err != nil {
				t.Errorf("%s: %v", whole, err)
				continue
			}
			if got, err := predicate.Print(node); !errors.Is(err, predicate.ErrUnprintable) {
				t.Errorf("Print(%s) = %q, %v; want ErrUnprintable", whole, got, err)
			}
		}
	}
}

func TestPrint(t *testing.T) {
	for _, test := range []struct{ sql, want string }{
		{"archived = false", "archived = false"},
		{"a\n  =\t1", "a = 1"},
		{"(a OR b) AND true", "(a OR b) AND true"},
		{"a AND (b AND c)", "a AND (b AND c)"},
		{"a OR b AND c", "a OR (b AND c)"},
		{"(a OR b) IS TRUE", "(a OR b) IS TRUE"},
		{"NOT (a OR b)", "NOT (a OR b)"},
		{`id = ANY($1) AND ("Big" = $2 OR x IS NULL)`, `id = ANY($1) AND ("Big" = $2 OR x IS NULL)`},
		{"a ilike $1", "a ILIKE $1"},
		{"a not in (1, -2)", "a NOT IN (1, -2)"},
		{"a between $1 and $2", "a BETWEEN $1 AND $2"},
		{"'{a}'::text[] && tags", "'{a}'::text[] && tags"},
		{"a = 'it''s'", "a = 'it''s'"},
	} {
		node, err := predicate.Parse(test.sql)
		if err != nil {
			t.Errorf("%s: %v", test.sql, err)
			continue
		}
		if got, err := predicate.Print(node); err != nil || got != test.want {
			t.Errorf("Print(%s) = %q, %v; want %q", test.sql, got, err, test.want)
		}
	}
}

func FuzzPrint(f *testing.F) {
	for _, seed := range []string{"a = 1", "(a OR b) IS NULL", "a IN ($1, 'x') AND NOT b", `"x" LIKE 'y'`, "a BETWEEN 1 AND 2", "a::int[] @> ARRAY[1]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		node, err := predicate.Parse(sql)
		if err != nil {
			return
		}
		printed, err := predicate.Print(node)
		if err != nil {
			return
		}
		again, err := predicate.Parse(printed)
		if err != nil {
			t.Fatalf("%q was printed as %q, which does not parse: %v", sql, printed, err)
		}
		if !predicate.Equal(node, again) {
			t.Fatalf("%q was printed as %q, which is another expression", sql, printed)
		}
	})
}

func TestEqual(t *testing.T) {
	parse := func(sql string) *pg.Node {
		n, err := predicate.Parse(sql)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, test := range []struct {
		a, b  string
		equal bool
	}{
		{"a = 1", "  a   =  1", true},
		{"((a)) = (1)", "a = 1", true},
		{"a IN (1, 2) AND f(b, 'x')", "a IN (1,2) AND f(b, 'x')", true},
		{"a = 1", "a = 2", false},
		{"a = 1", "b = 1", false},
		{"a = 1", "a <> 1", false},
		{"a = 1", "a = '1'", false},
		{"a = 0", "a = NULL", false},
		{"a = $1", "a = $2", false},
		{"a", "NOT a", false},
		{"a AND b", "a AND b AND c", false},
		{"a AND b", "a OR b", false},
		{"a IN (1)", "a IN (1, 2)", false},
		{"a = 1::int4", "a = 1::int8", false},
		{"a = 1::int4", "a = 1::int4[]", false},
		{"a IS NULL", "a IS NOT NULL", false},
		{"f(a)", "f(DISTINCT a)", false},
	} {
		if got := predicate.Equal(parse(test.a), parse(test.b)); got != test.equal {
			t.Errorf("%s and %s: equal %v, want %v", test.a, test.b, got, test.equal)
		}
		if got := predicate.Equal(parse(test.b), parse(test.a)); got != test.equal {
			t.Errorf("%s and %s: equal %v, want %v", test.b, test.a, got, test.equal)
		}
	}
}
