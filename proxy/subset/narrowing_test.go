package subset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema/predicate"
)

func narrow(where string, p map[string]string, list string) (*subset.Narrowing, error) {
	return subset.ParseNarrowing(where, p, list, table, []string{"id", "owner"})
}

// What a client asks of a log is printed for a main where, its parameters behind
// those of the shape, and stays whole there.
func TestNarrowingOfRows(t *testing.T) {
	for _, test := range []struct {
		where  string
		params map[string]string
		want   string
		sent   []string
	}{
		{`title = $1`, map[string]string{"1": "a"}, `("title" = $3)`, []string{"a"}},
		{`title = $2 OR done`, map[string]string{"1": "x", "2": "b"}, `((("title" = $3) OR "done") AND TRUE)`, []string{"b"}},
		{`title = 'a' AND (done OR points = 1)`, nil, `(("title" = 'a') AND ("done" OR ("points" = '1')))`, nil},
		{`done`, nil, `"done"`, nil},
		{`NOT done`, nil, `(NOT "done")`, nil},
		{`(done OR points = 1) IS NULL`, nil, `(COALESCE(("done" OR ("points" = '1'))) IS NULL)`, nil},
		{`points BETWEEN 1 AND 2`, nil, `(("points" >= '1') AND ("points" <= '2'))`, nil},
		{`id = ANY($1) AND tags @> ARRAY['x'] AND 'x' = ANY(tags)`, map[string]string{"1": "{" + id1 + "}"}, `(("id" = ANY($3)) AND ("tags" @> '{x}') AND ('x' = ANY("tags")))`, []string{"{" + id1 + "}"}},
		{`id = $1`, map[string]string{"1": "temp"}, `(("id" IS NULL) AND NULL::bool)`, nil},
		{`id <> $1`, map[string]string{"1": "temp"}, `((("id" IS NOT NULL) OR NULL::bool) AND TRUE)`, nil},
		{`title ILIKE 'a%' || $1 AND upper(owner) = 'B'`, map[string]string{"1": "b"}, `(("title" ILIKE ('a%'::text || $3::text)) AND (upper("owner") = 'B'))`, []string{"b"}},
		{`points::text = '1' AND id::text LIKE 'a%' AND day::text = '2026-01-01'`, nil, `(("points"::text = '1') AND ("id"::text LIKE 'a%') AND ("day"::text = '2026-01-01'))`, nil},
		{`points + 1 > 2 AND points & 1 = 1 AND GREATEST(points, small) = 1`, nil, `((("points"::int8 + '1'::int8) > '2') AND (("points" & '1') = '1') AND (GREATEST("points", "small") = '1'))`, nil},
	} {
		n, err := narrow(test.where, test.params, "")
		if err != nil {
			t.Errorf("%s: %v", test.where, err)
			continue
		}
		sql, params := n.SQL(3)
		if sql != test.want || !slices.Equal(params, test.sent) {
			t.Errorf("%s\n got %s %q\nwant %s %q", test.where, sql, params, test.want, test.sent)
		}
		if n.Columns != nil {
			t.Errorf("%s: columns %v", test.where, n.Columns)
		}
		for _, main := range []string{sql, `"archived" = false AND ` + sql, `("a" OR "b") AND true AND ` + sql} {
			if err := predicate.CheckConjunct(main); err != nil {
				t.Errorf("%s: %v", main, err)
			}
		}
	}
}

func TestNarrowingOfColumns(t *testing.T) {
	for list, want := range map[string][]string{
		`id,owner`:                             {"id", "owner"},
		`owner,id,owner`:                       {"id", "owner"},
		`"id",OWNER,"we""ird"`:                 {"id", "owner", `we"ird`},
		`"dueBy","id","owner","Über"`:          {"dueBy", "id", "owner", "Über"},
		``:                                     nil,
		` `:                                    nil,
		`"` + strings.Join(all(), `","`) + `"`: nil,
	} {
		n, err := narrow("", nil, list)
		if err != nil {
			t.Errorf("%s: %v", list, err)
			continue
		}
		if n == nil != (want == nil) || n != nil && !slices.Equal(n.Columns, want) {
			t.Errorf("%s: got %v, want %v", list, n, want)
		}
		if sql, params := n.SQL(1); sql != "" || params != nil {
			t.Errorf("%s: a where %s", list, sql)
		}
	}
}

func all() []string {
	var names []string
	for name := range columns {
		names = append(names, strings.ReplaceAll(name, `"`, `""`))
	}
	return names
}

func TestNarrowingsAreRefused(t *testing.T) {
	const notFollowed = "Electric does not evaluate columns of type "
	const required = `must hold the column "owner": those of the primary key and of filters are always sent`
	for _, test := range []struct {
		where          string
		params         map[string]string
		columns        string
		field, message string
	}{
		{"", nil, "id", "columns", required},
		{"", nil, "id,owner,nope", "columns", `unknown column "nope"`},
		{"", nil, "id,Owner,dueBy", "columns", `unknown column "dueby"`},
		{"", nil, "id, owner", "columns", `the name " owner" must be quoted`},
		{"", nil, "id,,owner", "columns", "holds an empty name"},
		{"", nil, "id,owner,", "columns", "holds an empty name"},
		{"", nil, `id,"",owner`, "columns", "holds an empty name"},
		{"", nil, `"id`, "columns", "a quoted name has no closing quote"},
		{"", nil, `"id"x,owner`, "columns", "a comma or the end must follow a quoted name"},
		{"", nil, `id"x",owner`, "columns", `the name "id\"x\"" must be quoted`},
		{"", nil, `*`, "columns", `the name "*" must be quoted`},
		{"", nil, `"id","owner",` + strings.Repeat("id,", 1600) + "id", "columns", "names more than 1600 columns"},

		{"", map[string]string{"1": "a"}, "", "params", "belong to a where, and there is none"},
		{"title = $1", map[string]string{"x": "a"}, "", "params", `"x" is not the number of a parameter`},
		{"title = $1", map[string]string{"1": "\x00"}, "", "params[1]", "holds a NUL character"},
		{"title = $2", map[string]string{"1": "a"}, "", "where", "$2 has no value"},
		{"created_at = $1", map[string]string{"1": "x"}, "", "params[1]", "is not a value of type timestamptz"},
		{"nope = 1", nil, "", "where", `unknown column "nope"`},
		{"1 / points > 0", nil, "", "where", `the operator "/" is not allowed`},
		{"id IN (SELECT 1)", nil, "", "where", "a subquery is not allowed"},
		{"true) OR (true", nil, "", "where", notOne},
		{"title = '" + strings.Repeat("a", 4000) + "'", nil, "", "where", "is longer than 4000 bytes with its params"},
		{"title = $1", map[string]string{"1": strings.Repeat("ü", 700)}, "", "where", "is longer than 4000 bytes with its params"},

		// What Electric does not evaluate as Postgres does.
		{"length(title) = 1", nil, "", "where", "Electric has no function length"},
		{"NOT (points + 1 > 2 AND coalesce(length(title), 1) = 1)", nil, "", "where", "Electric has no function length"},
		{"mood = 'happy'", nil, "", "where", notFollowed + "mood in a log"},
		{"mood::text IN ('happy')", nil, "", "where", notFollowed + "mood in a log"},
		{"meta IS NULL", nil, "", "where", notFollowed + "jsonb in a log"},
		{"'a' = ANY(moods)", nil, "", "where", notFollowed + "mood in a log"},
		{"title LIKE owner", nil, "", "where", "the pattern of LIKE must be a constant in a log"},
		{"title LIKE coalesce('a', 'b')", nil, "", "where", "the pattern of LIKE must be a constant in a log"},
		{`title LIKE '\%'`, nil, "", "where", `Electric does not read a backslash in a pattern of LIKE as Postgres does`},
		{`title LIKE ANY($1)`, map[string]string{"1": `{"a\\%"}`}, "", "where", `Electric does not read a backslash in a pattern of LIKE as Postgres does`},
		{`title ILIKE 'a' || upper($1)`, map[string]string{"1": `\\`}, "", "where", `Electric does not read a backslash in a pattern of LIKE as Postgres does`},
		{`points = ANY($1)`, map[string]string{"1": `{1,NULL}`}, "", "where", "Electric does not compare with an array that holds NULL as Postgres does"},
		{`points <> ALL('{1,NULL}')`, nil, "", "where", "Electric does not compare with an array that holds NULL as Postgres does"},
		{`done::text = 'true'`, nil, "", "where", "Electric does not cast bool to text as Postgres does"},
		{`price::text = '1'`, nil, "", "where", "Electric does not cast float8 to text as Postgres does"},
		{`points::bool`, nil, "", "where", "Electric does not cast int4 to bool as Postgres does"},
	} {
		_, err := narrow(test.where, test.params, test.columns)
		if err == nil {
			t.Errorf("%s %s: was accepted", test.where, test.columns)
			continue
		}
		t.Run(test.where[:min(len(test.where), 40)]+test.columns[:min(len(test.columns), 40)], func(t *testing.T) {
			checkRefused(t, err, test.field, test.message)
		})
	}
}

// Nothing asked for is no narrowing.
func TestNoNarrowing(t *testing.T) {
	n, err := narrow(" ", nil, " ")
	if n != nil || err != nil || n.Key() != "" {
		t.Errorf("got %v, %v", n, err)
	}
}

// Equal narrowings, and no others, have equal keys.
func TestNarrowingKeys(t *testing.T) {
	key := func(where string, p map[string]string, list string) string {
		n, err := narrow(where, p, list)
		if err != nil {
			t.Fatal(err)
		}
		return n.Key()
	}
	same := [][2]string{
		{key("title = $1", map[string]string{"1": "a"}, ""), key(`"title"=($9)`, map[string]string{"9": "a", "1": "b"}, "")},
		{key("", nil, "id,owner,title"), key("", nil, `title,"owner",ID,id`)},
		{key("done", nil, strings.Join([]string{"id", "owner"}, ",")), key("(done)", nil, "owner,id")},
	}
	for i, pair := range same {
		if pair[0] != pair[1] || pair[0] == "" {
			t.Errorf("%d: %q and %q", i, pair[0], pair[1])
		}
	}
	seen := map[string]int{}
	for i, k := range []string{
		key("title = $1", map[string]string{"1": "a"}, ""),
		key("title = $1", map[string]string{"1": "b"}, ""),
		key("title = 'a'", nil, ""),
		key("title = $1", map[string]string{"1": "a"}, "id,owner"),
		key("", nil, "id,owner"),
		key("", nil, "id,owner,title"),
		key("title = $1 AND owner = $2", map[string]string{"1": "a", "2": "1:b"}, ""),
		key("title = $1 AND owner = $2", map[string]string{"1": "a1:b", "2": ""}, ""),
	} {
		if before, ok := seen[k]; ok {
			t.Errorf("%d and %d have the key %q", before, i, k)
		}
		seen[k] = i
	}
}

func FuzzNarrowing(f *testing.F) {
	f.Add("title = $1 OR done", "a", "id,owner")
	f.Add("points = ANY($1)", "{1,2}", `"id",OWNER,"we""ird"`)
	f.Add("NOT (id <> $1)", "temp", ",")
	f.Add("title LIKE $1 AND (done OR mood = 'x') IS NULL", `\`, `"`)
	f.Fuzz(func(t *testing.T, where, value, list string) {
		n, err := narrow(where, map[string]string{"1": value}, list)
		if err != nil {
			refused, ok := err.(*subset.Error)
			if !ok || !slices.Contains([]string{"where", "params", "params[1]", "columns"}, refused.Field) || len(refused.Message) > 200 {
				t.Fatalf("%v", err)
			}
			return
		}
		if n == nil {
			return
		}
		for i, name := range n.Columns {
			if _, ok := columns[name]; !ok || i > 0 && n.Columns[i-1] >= name {
				t.Fatalf("%q: columns %q", list, n.Columns)
			}
		}
		sql, params := n.SQL(1)
		if sql == "" {
			return
		}
		for _, main := range []string{sql, `"archived" = false AND ` + sql} {
			if err := predicate.CheckConjunct(main); err != nil {
				t.Fatalf("%s: %v", main, err)
			}
		}
		sent := map[string]string{}
		for i, v := range params {
			sent[[]string{"1", "2", "3", "4"}[min(i, 3)]] = v
		}
		if len(params) > 4 {
			return
		}
		again, err := narrow(sql, sent, strings.Join(quoted(n.Columns), ","))
		if err != nil {
			t.Fatalf("%q was printed as %q, which is refused: %v", where, sql, err)
		}
		if again.Key() != n.Key() {
			t.Fatalf("%q was printed as %q, which has another key", where, sql)
		}
	})
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return out
}
