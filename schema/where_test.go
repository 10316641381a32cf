package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/schema/predicate"
)

func TestWhere(t *testing.T) {
	for _, test := range []struct{ text, sql, params string }{
		{"archived = false", "archived = false", ""},
		{"project_id = $project", "project_id = $1", "project"},
		{"a = $x AND b = $y AND c = $x", "a = $1 AND b = $2 AND c = $1", "x y"},
		{"a=$x1AND b", "", ""}, // $x1AND is one word, which is no param's name
		{`a = '$x' AND "$y" = b`, `a = '$x' AND "$y" = b`, ""},
		{`a = 'it''s $x' AND b = $y`, `a = 'it''s $x' AND b = $1`, "y"},
		{"a = $user AND b = $select", "a = $1 AND b = $2", "user select"}, // words of SQL
		{"owner = ANY($ids)", "owner = ANY($1)", "ids"},
		{"a IN (1, 2) AND b NOT IN ('x')", "a IN (1, 2) AND b NOT IN ('x')", ""},
		{"a BETWEEN 1 AND $max", "a BETWEEN 1 AND $1", "max"},
		{"a IS NOT NULL AND b IS TRUE AND c IS DISTINCT FROM d", "a IS NOT NULL AND b IS TRUE AND c IS DISTINCT FROM d", ""},
		{"title LIKE 'a%' AND title NOT ILIKE $p", "title LIKE 'a%' AND title NOT ILIKE $1", "p"},
		{"lower(a) || upper(b) = concat(c, coalesce(d, ''))", "(lower(a) || upper(b)) = concat(c, COALESCE(d, ''))", ""},
		{"greatest(a, b) < least(c, 3)", "GREATEST(a, b) < LEAST(c, 3)", ""},
		{"a::int8 + -1 > 2 * (b - 1)", "", "?"},
		{"updated_at > '2026-01-01'::timestamptz", "updated_at > '2026-01-01'::timestamptz", ""},
		{"at AT TIME ZONE 'utc' > '2026-01-01'::timestamp", "", "?"},
		{"tags @> ARRAY['a', $t] AND tags[1] = 'x'", "tags @> ARRAY['a', $1] AND tags[1] = 'x'", "t"},
		{"a\n  =\n  1", "a = 1", ""},
		{`"Big" = 1`, `"Big" = 1`, ""},
		{"true", "true", ""},
	} {
		where, errs := compileWhere(test.text)
		switch {
		case test.sql == "" && test.params == "":
			if len(errs) == 0 {
				t.Errorf("%s: got %q, want an error", test.text, where.SQL)
			}
		case len(errs) > 0:
			t.Errorf("%s: %v", test.text, errs)
		case test.params == "?": // the exact spelling is the printer's
		case where.SQL != test.sql || strings.Join(where.Params, " ") != test.params:
			t.Errorf("%s:\n got %s %v\nwant %s [%s]", test.text, where.SQL, where.Params, test.sql, test.params)
		}
	}
}

// Electric makes WHERE <where> AND (<subset>) of these without parentheses
// around the first. If the OR stayed on top, "a = 1 OR b AND (id = ANY(…))" would
// put every row with a = 1 into everybody's subset. Within (…) AND true, the OR
// is below an AND, and the printer has to keep the parentheses.
func TestWhereWithOrStaysWholeInASubset(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1 OR b":                  "(a = 1 OR b) AND true",
		"(a = 1 OR b)":                "(a = 1 OR b) AND true",
		"((a OR b) OR c)":             "(a OR b OR c) AND true",
		"a AND b OR c":                "((a AND b) OR c) AND true",
		"a AND (b OR c)":              "a AND (b OR c)",
		"NOT (a OR b)":                "NOT (a OR b)",
		"(a OR b) IS TRUE":            "(a OR b) IS TRUE",
		"(a OR b) AND true":           "(a OR b) AND true",
		"x = $p OR y = $q OR z = $p":  "(x = $1 OR y = $2 OR z = $1) AND true",
		"a BETWEEN 1 AND 2 OR b = 3":  "(a BETWEEN 1 AND 2 OR b = 3) AND true",
		"coalesce(a OR b, false)":     "COALESCE(a OR b, false)",
		"a IS NULL OR b IS NOT FALSE": "(a IS NULL OR b IS NOT FALSE) AND true",
	} {
		where, errs := compileWhere(text)
		if len(errs) > 0 {
			t.Errorf("%s: %v", text, errs)
			continue
		}
		if diff := cmp.Diff(want, where.SQL); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
}

func TestWhereErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "empty"},
		{"a = 1; b = 2", `";"`},
		{"a = 1 -- b", "comments"},
		{"a = $1", "params are named"},
		{"a = $", "name of a param"},
		{"a = $ x", "name of a param"},
		{`a = $"x"`, "name of a param"},
		{"a = $X", "name of a param"},
		{"a = $$x$$", "dollar-quoted"},
		{"a = $t$x$t$", "dollar-quoted"},
		{"a = (SELECT 1)", "subqueries"},
		{"EXISTS (SELECT 1)", "subqueries"},
		{"a IN (SELECT 1)", "subqueries"},
		{"now() > a", "function now"},
		{"random() > 0.5", "function random"},
		{"pg_sleep(1) IS NULL", "function pg_sleep"},
		{"public.lower(a) = 'x'", "function public.lower"},
		{"uper(a) = 'x'", `did you mean "upper"?`},
		{"count(*) > 1", "function count"},
		{"lower(DISTINCT a) = 'x'", "aggregates"},
		{"lower(a) OVER () = 'x'", "aggregates"},
		{"concat(VARIADIC a) = 'x'", "VARIADIC"},
		{"current_user = a", "change with the time"},
		{"current_timestamp > a", "change with the time"},
		{"CASE WHEN a THEN b END", "CaseExpr"},
		{"documents.a = 1", "named alone"},
		{"* = 1", ""},
		{"(a).b = 1", "fields"},
		{"a::regclass = 1", "type regclass"},
		{"a::varchar(3) = 'x'", "modifier"},
		{"a OPERATOR(pg_catalog.=) 1", "operator pg_catalog.="},
		{"a % 2 = 0", "operator %"},
		{"a ~ 'x'", ""}, // the operator is on the list for integers: Electric says
		{"a SIMILAR TO 'x'", "form of ~"},
		{"a COLLATE \"C\" = 'x'", "CollateClause"},
		{"B'1' = a", "bit strings"},
		{"ROW(a, b) IS NULL", ""},
		{"(a, b) = (1, 2)", "RowExpr"},
		{"a LIKE 'x' ESCAPE '!'", "like_escape"},
		{"NULLIF(a, b) = 1", "form"},
		{"(a OR b) IS NULL", "changes its meaning"},
		{"a = 1) OR (true", "syntax error"},
		{"a = 1 GROUP BY b", "group clause"},
		{strings.Repeat("a AND ", 1000) + "a", "longer than"},
	} {
		_, errs := compileWhere(test.text)
		if test.want == "" {
			continue
		}
		if len(errs) == 0 || !strings.Contains(errs[0].Error(), test.want) {
			t.Errorf("%.60s: got %v, want %q", test.text, errs, test.want)
		}
	}
}

func TestWhereReportsEverythingThatIsNotAllowed(t *testing.T) {
	_, errs := compileWhere("now() > a AND random() < 1 AND b IN (SELECT 1)")
	if len(errs) != 3 {
		t.Errorf("got %d errors, want 3: %v", len(errs), errs)
	}
}

func FuzzWhere(f *testing.F) {
	for _, seed := range []string{"a = $x OR b", "a IN (1) AND NOT b", "(a OR b) IS NULL", "a = '$x' AND $y", "t AT TIME ZONE 'utc' > b", "a[1:2] = b::text[]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		where, errs := compileWhere(text)
		if len(errs) > 0 {
			return
		}
		if err := predicate.CheckConjunct(where.SQL); err != nil {
			t.Fatalf("%q became %q: %v", text, where.SQL, err)
		}
	})
}
