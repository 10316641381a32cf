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

		// Columns, as query builders write them.
		{`"Docs"."title" = 'a'`, nil, `("title" = 'a')`, nil},
		{`"app"."Docs"."title" = 'a'`, nil, `("title" = 'a')`, nil},
		{`"Docs".TITLE = owner`, nil, `("title" = "owner")`, nil},
		{`"Docs"."tags"[1] = ANY("Docs"."codes")`, nil, `("tags"[1] = ANY("codes"))`, nil},
		{`"Docs"."small" + 1 > 3`, nil, `(("small"::int8 + '1'::int8) > '3')`, nil},
		{`"Docs"."points"::text LIKE '1%'`, nil, `("points"::text LIKE '1%')`, nil},

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
		{`mood = 'happy' OR mood <> $1`, values("sad"), `(("mood"::text = 'happy') OR ("mood"::text <> $1))`, map[string]string{"1": "sad"}},
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

		{`title LIKE NULL`, nil, `("title" LIKE NULL)`, nil},
		{`title ~~ 'a%' AND like(title, $1) AND ilike(title, 'b')`, values("a"), `(("title" LIKE 'a%') AND ("title" LIKE $1) AND ("title" ILIKE 'b'))`, map[string]string{"1": "a"}},
		{`'ab' LIKE $1`, values("a%"), `('ab'::text LIKE $1)`, map[string]string{"1": "a%"}},

		// A pattern that is made of columns cannot end in an escape character.
		{`title LIKE owner || '%'`, nil, `("title" LIKE ("owner" || '%'::text))`, nil},
		{`title NOT LIKE concat('%', owner, $1)`, values(`\\_`), `("title" NOT LIKE concat('%'::text, "owner", $1::text))`, map[string]string{"1": `\\_`}},
		{`title LIKE owner`, nil, `(("title" || 'x'::text) LIKE ("owner" || '_'::text))`, nil},
		{`'ab' ILIKE lower(owner)`, nil, `(('ab'::text || 'x'::text) ILIKE (lower("owner") || '_'::text))`, nil},
		{`title || 'a' NOT LIKE owner || '\'`, nil, `(("title" || 'a'::text || 'x'::text) NOT LIKE ("owner" || '\'::text || '_'::text))`, nil},
		{`title LIKE coalesce(owner, 'a')`, nil, `(("title" || 'x'::text) LIKE (COALESCE("owner", 'a') || '_'::text))`, nil},
		{`title LIKE owner || $1`, values(``), `(("title" || 'x'::text) LIKE ("owner" || $1::text || '_'::text))`, map[string]string{"1": ""}},
		{`title LIKE owner || $1`, values(`\\`), `(("title" || 'x'::text) LIKE ("owner" || $1::text || '_'::text))`, map[string]string{"1": `\\`}},
		{`title LIKE 'a\'`, nil, `(("title" IS NULL) AND NULL::bool)`, nil},
		{`title NOT ILIKE $1`, values(`a\\\`), `(("title" IS NOT NULL) OR NULL::bool)`, nil},
		{`title LIKE 'a' || upper('\')`, nil, `(("title" IS NULL) AND NULL::bool)`, nil},
		{`title LIKE ANY($1) AND title NOT ILIKE ALL('{a,b}')`, values(`{a%,"b\\\\"}`), `(("title" LIKE ANY($1)) AND ("title" NOT ILIKE ALL('{a,b}')))`, map[string]string{"1": `{"a%","b\\\\"}`}},
		{`title LIKE ANY($1) OR title NOT LIKE ALL($1)`, values(`{"a\\",b}`), `(("title" LIKE ANY($1)) OR ("title" NOT LIKE ALL($1)))`, map[string]string{"1": `{b}`}},
		{`title LIKE ALL($1) OR title NOT LIKE ANY($1)`, values(`{"a\\",b}`), `((("title" IS NULL) AND NULL::bool) OR ("title" IS NOT NULL) OR NULL::bool)`, nil},

		// Enums are compared as text.
		{`mood::text = $1`, values("happy"), `("mood"::text = $1)`, map[string]string{"1": "happy"}},
		{`"mood"::text IN ($1, 'sad') OR mood::text LIKE 'h%'`, values("x"), `(("mood"::text IN ($1, 'sad')) OR ("mood"::text LIKE 'h%'))`, map[string]string{"1": "x"}},
		{`mood IN ('happy', $1) AND mood = ANY($2)`, values("x", "{a}"), `(("mood"::text IN ('happy', $1)) AND ("mood"::text = ANY($2)))`, map[string]string{"1": "x", "2": "{a}"}},
		{`upper(mood::text) = 'A' OR mood = mood OR mood IS DISTINCT FROM NULL`, nil, `((upper("mood"::text) = 'A') OR ("mood" = "mood") OR ("mood" IS DISTINCT FROM NULL))`, nil},

		// Arrays.
		{`tags @> ARRAY[$1]`, values("a b"), `("tags" @> '{"a b"}')`, nil},
		{`"tags" @> $1 AND $1 <@ tags AND tags <@ $1 AND tags && '{a,NULL}'`, values("{a}"), `(("tags" @> $1) AND ("tags" @> $1) AND ("tags" <@ $1) AND ("tags" && '{a,NULL}'))`, map[string]string{"1": "{a}"}},
		{`tags = $1 OR $1 <> tags OR tags IS DISTINCT FROM ARRAY['x']`, values("{a,b}"), `(("tags" = $1) OR ("tags" <> $1) OR ("tags" IS DISTINCT FROM '{x}'))`, map[string]string{"1": "{a,b}"}},
		{`scores && ARRAY[1, $1]::int[]`, values(2), `("scores" && '{1,2}')`, nil},
		{`tags @> codes AND tags::text[] = tags AND totals <@ scores`, nil, `(("tags" @> "codes"::text[]) AND ("tags" = "tags") AND ("totals" <@ "scores"::int8[]))`, nil},
		{`tags = NULL`, nil, `("tags" = NULL)`, nil},
		{`owner = ANY(tags) AND title <> ALL(codes) AND points = ANY(totals) AND big > ANY(scores)`, nil, `(("owner" = ANY("tags")) AND ("title" <> ALL("codes")) AND ("points" = ANY("totals")) AND ("big" > ANY("scores")))`, nil},
		{`points < ALL($1) AND points >= ANY('{1,2}')`, values("{3}"), `(("points" < ALL($1)) AND ("points" >= ANY('{1,2}')))`, map[string]string{"1": "{3}"}},
		{`title = ANY(ARRAY[owner, $1]) AND title <> ALL(ARRAY[owner])`, values("a"), `(("title" IN ("owner", $1)) AND ("title" NOT IN ("owner")))`, map[string]string{"1": "a"}},

		{`tags[1] = $1 OR lower(tags[-2]) LIKE 'a%' OR scores[1] > 2`, values("a"), `(("tags"[1] = $1) OR (lower("tags"[-2]) LIKE 'a%') OR ("scores"[1] > '2'))`, map[string]string{"1": "a"}},

		// Values that the column's type cannot hold match no row.
		{`id = $1`, values("temp-123"), `(("id" IS NULL) AND NULL::bool)`, nil},
		{`NOT $1 = id OR id <> $1`, values("temp-123"), `((NOT (("id" IS NULL) AND NULL::bool)) OR ("id" IS NOT NULL) OR NULL::bool)`, nil},
		{`id = $1::uuid OR id < $1`, values("temp"), `((("id" IS NULL) AND NULL::bool) OR (("id" IS NULL) AND NULL::bool))`, nil},
		{`id = $1`, values("{" + id1[:8] + id1[9:13] + id1[14:18] + id1[19:23] + id1[24:] + "}"), `("id" = $1)`, map[string]string{"1": id1}},
		{`id IS DISTINCT FROM $1 AND id IS NOT DISTINCT FROM $1`, values("x"), `(TRUE AND FALSE)`, nil},
		{`id IN ($1, $2)`, values("temp", id1), `("id" IN ($1))`, map[string]string{"1": id1}},
		{`id IN ($1) OR id NOT IN ($1)`, values("temp"), `((("id" IS NULL) AND NULL::bool) OR ("id" IS NOT NULL) OR NULL::bool)`, nil},
		{`id = ANY($1) OR id <> ALL($1)`, values("{temp-1," + id1 + ",NULL}"), `(("id" = ANY($1)) OR ("id" <> ALL($1)))`, map[string]string{"1": "{" + id1 + ",NULL}"}},
		{`id = ANY($1) OR id <> ALL($1)`, values("{temp-1}"), `((("id" IS NULL) AND NULL::bool) OR ("id" IS NOT NULL) OR NULL::bool)`, nil},
		{`id <> ANY($1) OR id = ALL($1)`, values("{temp-1," + id1 + "}"), `(("id" IS NOT NULL) OR NULL::bool OR (("id" IS NULL) AND NULL::bool))`, nil},
		{`id = ANY(ARRAY[$1, $2])`, values("temp", id1), `("id" = ANY('{` + id1 + `}'))`, nil},
		{`scores @> $1 OR scores = $1 OR scores <> $1`, values("{1,x}"), `((("scores" IS NULL) AND NULL::bool) OR (("scores" IS NULL) AND NULL::bool) OR ("scores" IS NOT NULL) OR NULL::bool)`, nil},
		{`scores <@ $1 AND scores && $1`, values("{1,x}"), `(("scores" <@ $1) AND ("scores" && $1))`, map[string]string{"1": "{1}"}},
		{`$1 = ANY(scores) OR $1 <> ALL(scores)`, values("x"), `((("scores" IS NULL) AND NULL::bool) OR ("scores" IS NOT NULL) OR NULL::bool)`, nil},
		{`$1 IN (title, owner)`, values("a"), `(($1 = "title") OR ($1 = "owner"))`, map[string]string{"1": "a"}},
		{`$1 NOT IN (points)`, values("a"), `(NOT (("points" IS NULL) AND NULL::bool))`, nil},
		{`done = $1 OR done = $2`, values("YES", "maybe"), `(("done" = $1) OR (("done" IS NULL) AND NULL::bool))`, map[string]string{"1": "true"}},
		{`title = $1 AND points = $1`, values("5"), `(("title" = $1) AND ("points" = $2))`, map[string]string{"1": "5", "2": "5"}},
		{`price = $1 OR price = $2`, values("temp", ".5"), `((("price" IS NULL) AND NULL::bool) OR ("price" = $1))`, map[string]string{"1": "0.5"}},

		// Numbers beside integers.
		{`points > $1 OR points >= $1 OR $1 < points`, values("2147483648"), `((("points" IS NULL) AND NULL::bool) OR (("points" IS NULL) AND NULL::bool) OR (("points" IS NULL) AND NULL::bool))`, nil},
		{`points < $1 AND $1 >= points`, values("2147483648"), `((("points" IS NOT NULL) OR NULL::bool) AND (("points" IS NOT NULL) OR NULL::bool))`, nil},
		{`small > -99999 AND small <> 99999`, nil, `((("small" IS NOT NULL) OR NULL::bool) AND (("small" IS NOT NULL) OR NULL::bool))`, nil},
		{`points < $1 AND points > $1`, values("Infinity"), `((("points" IS NOT NULL) OR NULL::bool) AND ("points" IS NULL) AND NULL::bool)`, nil},
		{`points = $1`, values("x"), `(("points" IS NULL) AND NULL::bool)`, nil},
		{`points > 1.5 AND points >= -1.5 AND 1.5 > points AND points <= 1.5`, nil, `(("points" > '1') AND ("points" > '-2') AND ("points" <= '1') AND ("points" <= '1'))`, nil},
		{`points = 1.5 OR points IN (1, 1.5) OR points = 1e3 OR points = 5.0`, nil, `((("points" IS NULL) AND NULL::bool) OR ("points" IN ('1')) OR ("points" = '1000') OR ("points" = '5'))`, nil},
		{`points > $1 AND points BETWEEN $1 AND 9`, values("2.5"), `(("points" > $1) AND ("points" > $1) AND ("points" <= '9'))`, map[string]string{"1": "2"}},
		{`small = 32767.5 OR small < 32767.5 OR small > -32768.5`, nil, `((("small" IS NULL) AND NULL::bool) OR ("small" <= '32767') OR ("small" IS NOT NULL) OR NULL::bool)`, nil},
		{`ratio < $1`, values("1e39"), `(("ratio" IS NOT NULL) OR NULL::bool)`, nil},
		{`big = $1::int4`, values("3000000000"), `(("big" IS NULL) AND NULL::bool)`, nil},
		{`big > $1::int4`, values("3000000000"), `(("big" IS NULL) AND NULL::bool)`, nil},
		{`points BETWEEN SYMMETRIC 5 AND $1`, values("1"), `((("points" >= '5') AND ("points" <= $1)) OR (("points" >= $1) AND ("points" <= '5')))`, map[string]string{"1": "1"}},
		{`points NOT BETWEEN SYMMETRIC 1 AND 1`, nil, `(NOT ((("points" >= '1') AND ("points" <= '1')) OR (("points" >= '1') AND ("points" <= '1'))))`, nil},

		// Casts of columns that no value can fail.
		{`points::text = '1' AND id::text LIKE $1 AND done::text = 'true'`, values("1%"), `(("points"::text = '1') AND ("id"::text LIKE $1) AND ("done"::text = 'true'))`, map[string]string{"1": "1%"}},
		{`points::int8 > 3000000000 AND small::float8 < 1.5 AND points::int4 = 1`, nil, `(("points"::int8 > '3000000000') AND ("small"::float8 < '1.5') AND ("points" = '1'))`, nil},
		{`done::int4 = 1 AND points::bool AND owner::text = code::varchar AND span::text = 'P1D'`, nil, `(("done"::int4 = '1') AND "points"::bool AND ("owner"::text = "code"::varchar) AND ("span"::text = 'P1D'))`, nil},

		// GREATEST, LEAST and bits.
		{`GREATEST(points, small, $1) > least(big, 1)`, values("2"), `(GREATEST("points", "small", $1) > LEAST("big", '1'))`, map[string]string{"1": "2"}},
		{`points & 4 = 4 AND (small | $1) # points <> ~big`, values("1"), `((("points" & '4') = '4') AND ((("small" | $1) # "points") <> (~ "big")))`, map[string]string{"1": "1"}},
		{`points & 1 IS NULL`, nil, `(("points" & '1') IS NULL)`, nil},

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
		{`-points > 3`, nil, `(('0'::int8 - "points"::int8) > '3')`, nil},
		{`-(points - small) + 1 = 0`, nil, `(((('0'::int8 - "points"::int8) + "small"::int8) + '1'::int8) = '0')`, nil},
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
