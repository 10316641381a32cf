package subset_test

import (
	"maps"
	"testing"
)

const (
	id1 = "11111111-1111-4111-8111-111111111111"
	id2 = "33333333-3333-4333-8333-333333333333"
)

func TestWhereIsPrintedAgain(t *testing.T) {
	for _, test := range []struct {
		where  string
		params params
		want   string
		sent   map[string]string
	}{
		// Columns, as people write them.
		{`title = 'a'`, nil, `("title" = 'a')`, nil},
		{`TITLE = 'a'`, nil, `("title" = 'a')`, nil},
		{`name = 'a'`, nil, `("name" = 'a')`, nil},
		{`"dueBy" = '2026-01-01T00:00:00Z'`, nil, `("dueBy" = '2026-01-01T00:00:00Z')`, nil},
		{`"we""ird" = 'a'`, nil, `("we""ird" = 'a')`, nil},
		{`"Über" = 'ü'`, nil, `("Über" = 'ü')`, nil},
		{"title\n\t=   'a'", nil, `("title" = 'a')`, nil},

		// Constants.
		{`title = 'it''s'`, nil, `("title" = 'it''s')`, nil},
		{`title = 'back\slash'`, nil, `("title" = 'back\slash')`, nil},
		{`title = '-- ; /* $1'`, nil, `("title" = '-- ; /* $1')`, nil},
		{"title = 'a'\n'b'", nil, `("title" = 'ab')`, nil},
		{`points = 5`, nil, `("points" = '5')`, nil},
		{`points = -5`, nil, `("points" = '-5')`, nil},
		{`points = - 5`, nil, `("points" = '-5')`, nil},
		{`big > 9007199254740993`, nil, `("big" > '9007199254740993')`, nil},
		{`price > 1.5`, nil, `("price" > '1.5')`, nil},
		{`price > .5 AND price < 2.`, nil, `(("price" > '0.5') AND ("price" < '2'))`, nil},
		{`price > -.5e3 AND price < 2.e4`, nil, `(("price" > '-0.5e3') AND ("price" < '2e4'))`, nil},
		{`amount > 1.50`, nil, `("amount" > '1.50')`, nil},
		{`done = true`, nil, `("done" = TRUE)`, nil},
		{`done = 'f'`, nil, `("done" = 'f')`, nil},
		{`points = NULL`, nil, `("points" = NULL)`, nil},
		{`true = true`, nil, `(TRUE = TRUE)`, nil},
		{`1 = 1`, nil, `('1'::int8 = '1'::int8)`, nil},
		{`1 = 1.5`, nil, `('1'::float8 = '1.5'::float8)`, nil},
		{`'a' = 'a'`, nil, `('a'::text = 'a'::text)`, nil},
		{`true`, nil, `TRUE`, nil},
		{`'t'`, nil, `TRUE`, nil},
		{`NULL`, nil, `NULL::bool`, nil},

		// Parameters: numbered by first appearance, shared, only those in use.
		{`title = $2`, values("unused", "a"), `("title" = $1)`, map[string]string{"1": "a"}},
		{`title = $3 OR title = $1`, values("a", "b", "c"), `(("title" = $1) OR ("title" = $2))`, map[string]string{"1": "c", "2": "a"}},
		{`title = $1 OR owner = $1`, values("a"), `(("title" = $1) OR ("owner" = $1))`, map[string]string{"1": "a"}},
		{`title = $65535`, params{"65535": "a"}, `("title" = $1)`, map[string]string{"1": "a"}},
		{`points = $1`, values(5), `("points" = $1)`, map[string]string{"1": "5"}},
		{`done = $1`, values(true), `("done" = $1)`, map[string]string{"1": "true"}},
		{`title = $1`, values(true), `("title" = $1)`, map[string]string{"1": "true"}},
		{`$1 = $2`, values("a", "b"), `($1::text = $2::text)`, map[string]string{"1": "a", "2": "b"}},
		{`$1 = 1`, values("1"), `($1::int8 = '1'::int8)`, map[string]string{"1": "1"}},
		{`$1`, values("true"), `TRUE`, nil},
		{`$1 AND done`, values("f"), `(FALSE AND "done")`, nil},

		// Logic.
		{`title = 'a' OR title = 'b' AND done`, nil, `(("title" = 'a') OR (("title" = 'b') AND "done"))`, nil},
		{`(done AND done) AND (done AND done)`, nil, `("done" AND "done" AND "done" AND "done")`, nil},
		{`done OR (done OR NOT done)`, nil, `("done" OR "done" OR (NOT "done"))`, nil},
		{`NOT done = true`, nil, `(NOT ("done" = TRUE))`, nil},
		{`NOT NOT done`, nil, `(NOT (NOT "done"))`, nil},
		{`done`, nil, `"done"`, nil},
		{`((((done))))`, nil, `"done"`, nil},

		// Comparisons.
		{`points <> 1`, nil, `("points" <> '1')`, nil},
		{`points != 1`, nil, `("points" <> '1')`, nil},
		{`points = small AND points < big AND big >= price`, nil, `(("points" = "small") AND ("points" < "big") AND ("big" >= "price"))`, nil},
		{`amount > points`, nil, `("amount" > "points")`, nil},
		{`title = code`, nil, `("title" = "code")`, nil},
		{`mood = 'happy' OR mood <> $1`, values("sad"), `(("mood" = 'happy') OR ("mood" <> $1))`, map[string]string{"1": "sad"}},
		{`points BETWEEN 1 AND $1`, values("5"), `(("points" >= '1') AND ("points" <= $1))`, map[string]string{"1": "5"}},
		{`points NOT BETWEEN 1 AND 5`, nil, `(NOT (("points" >= '1') AND ("points" <= '5')))`, nil},
		{`points BETWEEN 1 AND 5 AND done`, nil, `(("points" >= '1') AND ("points" <= '5') AND "done")`, nil},
		{`points IS DISTINCT FROM 1`, nil, `("points" IS DISTINCT FROM '1')`, nil},
		{`points IS NOT DISTINCT FROM NULL`, nil, `("points" IS NOT DISTINCT FROM NULL)`, nil},

		// Tests, with conditions as operands kept in one piece.
		{`points IS NULL`, nil, `("points" IS NULL)`, nil},
		{`meta IS NOT NULL AND tags IS NULL`, nil, `(("meta" IS NOT NULL) AND ("tags" IS NULL))`, nil},
		{`points ISNULL`, nil, `("points" IS NULL)`, nil},
		{`$1 IS NULL`, values("a"), `($1::text IS NULL)`, map[string]string{"1": "a"}},
		{`done IS TRUE OR done IS NOT FALSE OR done IS UNKNOWN`, nil, `(("done" IS TRUE) OR ("done" IS NOT FALSE) OR ("done" IS UNKNOWN))`, nil},
		{`(done OR points = 1) IS NULL`, nil, `(COALESCE(("done" OR ("points" = '1'))) IS NULL)`, nil},
		{`(points = 1) IS NOT TRUE`, nil, `(COALESCE(("points" = '1')) IS NOT TRUE)`, nil},
		{`(points = 1) = (big = 2)`, nil, `(COALESCE(("points" = '1')) = COALESCE(("big" = '2')))`, nil},
		{`(done AND done) IN (true)`, nil, `(COALESCE(("done" AND "done")) IN (TRUE))`, nil},
		{`(NOT done) IS DISTINCT FROM done`, nil, `(COALESCE((NOT "done")) IS DISTINCT FROM "done")`, nil},

		// Lists and arrays.
		{`points IN (1, $1, NULL)`, values("2"), `("points" IN ('1', $1, NULL))`, map[string]string{"1": "2"}},
		{`title NOT IN ('a', 'b')`, nil, `("title" NOT IN ('a', 'b'))`, nil},
		{`id = ANY($1)`, values(`{"` + id1 + `", ` + id2 + `}`), `("id" = ANY($1))`, map[string]string{"1": "{" + id1 + "," + id2 + "}"}},
		{`id = SOME($1::uuid[])`, values("{}"), `("id" = ANY($1))`, map[string]string{"1": "{}"}},
		{`id <> ALL($1)`, values("{" + id1 + "}"), `("id" <> ALL($1))`, map[string]string{"1": "{" + id1 + "}"}},
		{`title = ANY('{a, "b c" ,NULL,null,"null"}')`, nil, `("title" = ANY('{a,"b c",NULL,NULL,"null"}'))`, nil},
		{`title = ANY(ARRAY['a', $1, NULL])`, values(`"`), `("title" = ANY('{a,"\"",NULL}'))`, nil},
		{`points = ANY(ARRAY[1, 2]::int[])`, nil, `("points" = ANY('{1,2}'))`, nil},
		{`points = ANY('{1}'::bigint[])`, nil, `("points" = ANY('{1}'))`, nil},
		{`'x' = ANY(tags)`, nil, `('x' = ANY("tags"))`, nil},
		{`points = ANY(scores) OR 3 <> ALL(scores)`, nil, `(("points" = ANY("scores")) OR ('3' <> ALL("scores")))`, nil},
		{`title = $1 OR title = ANY($1)`, values("{a}"), `(("title" = $1) OR ("title" = ANY($2)))`, map[string]string{"1": "{a}", "2": "{a}"}},

		// Text.
		{`title LIKE 'a%' AND title NOT LIKE $1`, values(`%\%`), `(("title" LIKE 'a%') AND ("title" NOT LIKE $1))`, map[string]string{"1": `%\%`}},
		{`title ILIKE '%' || $1 || '%'`, values("x"), `("title" ILIKE ('%'::text || $1::text || '%'::text))`, map[string]string{"1": "x"}},
		{`title NOT ILIKE concat($1, '%')`, values("x"), `("title" NOT ILIKE concat($1::text, '%'::text))`, map[string]string{"1": "x"}},
		{`upper(title) LIKE upper($1)`, values("a%"), `(upper("title") LIKE upper($1::text))`, map[string]string{"1": "a%"}},
		{`title || ' ' || owner = 'a b'`, nil, `(("title" || ' '::text || "owner") = 'a b')`, nil},
		{`title || (' ' || owner) IS NULL`, nil, `(("title" || ' '::text || "owner") IS NULL)`, nil},
		{`length(lower(title)) >= 3`, nil, `(length(lower("title")) >= '3')`, nil},
		{`Concat(title, NULL) = ''`, nil, `(concat("title", NULL::text) = '')`, nil},
		{`coalesce(points, small, 0) > 1`, nil, `(COALESCE("points", "small", '0') > '1')`, nil},
		{`coalesce(NULL, title) = ''`, nil, `(COALESCE(NULL, "title") = '')`, nil},
		{`coalesce(done, points = 1)`, nil, `COALESCE("done", ("points" = '1'))`, nil},

		// Casts of constants.
		{`id = $1::uuid`, values(id1), `("id" = $1::uuid)`, map[string]string{"1": id1}},
		{`points > CAST($1 AS integer)`, values("1"), `("points" > $1::int4)`, map[string]string{"1": "1"}},
		{`created_at > timestamptz '2026-01-01T00:00:00Z'`, nil, `("created_at" > '2026-01-01T00:00:00Z'::timestamptz)`, nil},
		{`created_at > '2026-01-01 00:00:00+00'::timestamp with time zone`, nil, `("created_at" > '2026-01-01 00:00:00+00'::timestamptz)`, nil},
		{`day > date '2026-01-01'`, nil, `("day" > '2026-01-01'::date)`, nil},
		{`big = 5::int8`, nil, `("big" = '5'::int8)`, nil},
		{`done = 'true'::boolean`, nil, `("done" = 'true'::bool)`, nil},
		{`'true'::boolean`, nil, `'true'::bool`, nil},
		{`true::bool`, nil, `TRUE`, nil},
		{`points = NULL::int`, nil, `("points" = NULL::int4)`, nil},

		// Sums.
		{`points + 1 > 3`, nil, `(("points"::int8 + '1'::int8) > '3')`, nil},
		{`points - small - 1 = $1`, values("0"), `((("points"::int8 - "small"::int8) - '1'::int8) = $1)`, map[string]string{"1": "0"}},
		{`points - (small - 1) = 0`, nil, `((("points"::int8 - "small"::int8) + '1'::int8) = '0')`, nil},
		{`points + $1 > 3`, values("1"), `(("points"::int8 + '1'::int8) > '3')`, nil},
		{`points + 0.5 > 3`, nil, `(("points"::float8 + '0.5'::float8) > '3')`, nil},
		{`big + 1 > 3`, nil, `(("big"::float8 + '1'::float8) > '3')`, nil},
		{`price - ratio > points`, nil, `(("price"::float8 - "ratio"::float8) > "points")`, nil},
		{`price::float8 + points::bigint > 0`, nil, `(("price"::float8 + "points"::float8) > '0')`, nil},
		{`+("points",$1) > 3`, values("1"), `(("points"::int8 + '1'::int8) > '3')`, nil},
	} {
		r, err := parseWhere(t, test.where, test.params)
		if err != nil {
			t.Errorf("%s: %v", test.where, err)
			continue
		}
		if got := r.Where.SQL(0); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.where, got, test.want)
		}
		if got := r.UpstreamParams(0); !maps.Equal(got, test.sent) {
			t.Errorf("%s: upstream params %v, want %v", test.where, got, test.sent)
		}
		again, err := parseWhere(t, r.Where.SQL(0), asked(r.UpstreamParams(0)))
		if err != nil {
			t.Errorf("%s: printed as %s, which is refused: %v", test.where, r.Where.SQL(0), err)
			continue
		}
		if again.Where.SQL(0) != r.Where.SQL(0) {
			t.Errorf("%s: printed as %s, and then as %s", test.where, r.Where.SQL(0), again.Where.SQL(0))
		}
	}
}

// The proxy puts its own parameters in front.
func TestParamsAreShifted(t *testing.T) {
	r, err := parseWhere(t, `title = $2 AND id = ANY($1)`, values("{}", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Where.SQL(2), `(("title" = $3) AND ("id" = ANY($4)))`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := r.UpstreamParams(2), map[string]string{"3": "a", "4": "{}"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// An honest a OR b behind an AND is a leak, unless it stays in one piece.
func TestAnOrStaysInOnePiece(t *testing.T) {
	r, err := parseWhere(t, `"title" = $1 OR "title" = $2`, values("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	glued := `("id" = ANY($1)) AND (` + r.Where.SQL(1) + `)`
	if want := `("id" = ANY($1)) AND ((("title" = $2) OR ("title" = $3)))`; glued != want {
		t.Errorf("got %s, want %s", glued, want)
	}
	if arms := armsOf(t, glued); len(arms) != 2 {
		t.Errorf("%s is an AND of %d arms", glued, len(arms))
	}
}
