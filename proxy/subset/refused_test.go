package subset_test

import (
	"slices"
	"strings"
	"testing"
)

const (
	ownTable   = "a column must stand alone, or behind the shape's own table"
	notOne     = "is not one SQL expression"
	otherKind  = "holds a string of another kind than '…'"
	addends    = "+ and - are only allowed for columns of type int2, int4, int8, float4 and float8 and for numbers"
	castColumn = "only constants, parameters and columns can be cast, and columns only to what every value has: a wider type, or text"
	subscripts = "a subscript is only allowed behind a column of arrays, and with one number in it"
	noArray    = "an array must stand here: a column, a constant, a parameter or ARRAY[…]"
)

func TestWhereIsRefused(t *testing.T) {
	for _, test := range []struct {
		where          string
		params         params
		field, message string
	}{
		// Not one expression.
		{`true) or (true`, nil, "where", notOne},
		{`true; drop table x`, nil, "where", `holds a ";"`},
		{`title = 'a`, nil, "where", notOne},
		{`title =`, nil, "where", notOne},
		{`title = 'a' -- `, nil, "where", "holds a comment"},
		{`title /* */ = 'a'`, nil, "where", "holds a comment"},
		{`true GROUP BY 1`, nil, "where", notOne},
		{`true HAVING true`, nil, "where", notOne},
		{`true ORDER BY 1`, nil, "where", notOne},
		{`true LIMIT 1`, nil, "where", notOne},
		{`true OFFSET 1`, nil, "where", notOne},
		{`true FETCH FIRST ROW WITH TIES`, nil, "where", notOne},
		{`true FOR UPDATE`, nil, "where", notOne},
		{`true WINDOW w AS ()`, nil, "where", notOne},
		{`true UNION SELECT 2`, nil, "where", notOne},
		{`true UNION ALL SELECT 1 WHERE true`, nil, "where", notOne},
		{"title = 'a\x00'", nil, "where", "holds a NUL character"},

		// Strings with a second reading.
		{`title = E'a\'b'`, nil, "where", otherKind},
		{`title = U&'a'`, nil, "where", otherKind},
		{`U&"title" = 'a'`, nil, "where", otherKind},
		{`title = $$a$$`, nil, "where", otherKind},
		{`title = $x$a$x$`, nil, "where", otherKind},
		{`title = B'1'`, nil, "where", otherKind},
		{`title = X'1F'`, nil, "where", otherKind},
		{`title = N'a'`, nil, "where", "a cast to this type is not allowed"},

		// Columns.
		{`secret = 'a'`, nil, "where", `unknown column "secret"`},
		{`Title = 'a' AND "Title" = 'a'`, nil, "where", `unknown column "Title"`},
		{`documents.title = 'a'`, nil, "where", ownTable},
		{`docs.title = 'a'`, nil, "where", ownTable},
		{`"Docs".app.title = 'a'`, nil, "where", ownTable},
		{`app.title = 'a'`, nil, "where", ownTable},
		{`public."Docs".title = 'a'`, nil, "where", ownTable},
		{`db.app."Docs".title = 'a'`, nil, "where", ownTable},
		{`title."Docs" = 'a'`, nil, "where", ownTable},
		{`"Docs".* IS NULL`, nil, "where", ownTable},
		{`"Docs" IS NULL`, nil, "where", `unknown column "Docs"`},
		{`"Docs".secret = 'a'`, nil, "where", `unknown column "secret"`},
		{`("Docs").title = 'a'`, nil, "where", `unknown column "Docs"`},
		{`ctid = '(0,1)'`, nil, "where", `unknown column "ctid"`},
		{`"` + strings.Repeat("x", 100) + `" = 1`, nil, "where", `unknown column "` + strings.Repeat("x", 63) + `"`},

		// Parameters.
		{`title = $9`, values("a"), "where", "$9 has no value"},
		{`title = $1`, nil, "where", "$1 has no value"},
		{`title = $0`, values("a"), "where", "$0 has no value"},
		{`day = $1`, values("tomorrow"), "params.1", "is not a value of type date"},
		{`price > $1`, values("NaN"), "params.1", "is not a value of type float8"},
		{`amount < $1`, values("1e400"), "params.1", "is not a value of type numeric"},
		{`points = $1`, values("0x1F"), "params.1", "is not a value of type int4"},
		{`points = $1::int8 OR points < $1::int4`, values("0." + strings.Repeat("1", 200)), "params.1", "is not a value of type int8"},
		{`$1::uuid = $2`, values("temp", "x"), "params.1", "is not a value of type uuid"},
		{`$1::uuid IS NULL`, values("temp"), "params.1", "is not a value of type uuid"},
		{`coalesce(id, $1) = id`, values("temp"), "params.1", "is not a value of type uuid"},
		{`points & $1 > 0`, values("x"), "params.1", "is not a value of type int4"},
		{`points > ANY($1)`, values("{1,x}"), "params.1", "holds an element that is not a value of type int4"},
		{`day = ANY(ARRAY['2026-01-01', $1])`, values("x"), "params.1", "is not a value of type date"},
		{`tags @> $1`, values("a"), "params.1", "is not a one-dimensional array, {a,b}"},
		{`$1 < ANY(scores)`, values("x"), "params.1", "is not a value of type int4"},
		{`created_at > $1`, values("2026-01-01"), "params.1", "is not a value of type timestamptz"},
		{`coalesce(points, $1) = 1`, values("x"), "params.1", "is not a value of type int4"},
		{`points + $1 > 1`, values("x"), "params.1", "is not a number up to 2^53, which + and - take"},
		{`id = ANY($1)`, values(id1), "params.1", "is not a one-dimensional array, {a,b}"},
		{`id = ANY($1)`, values("{{" + id1 + "}}"), "params.1", "is not a one-dimensional array, {a,b}"},
		{`title = ANY($1)`, values("[1:1]={a}"), "params.1", "is not a one-dimensional array, {a,b}"},
		{`$1`, values("maybe"), "params.1", "is not a value of type bool"},

		// Constants.
		{`id = ANY('{x}')`, nil, "where", "holds an element that is not a value of type uuid"},
		{`tags = 'a'`, nil, "where", "is not a one-dimensional array, {a,b}"},
		{`scores @> ARRAY['x']`, nil, "where", "holds an element that is not a value of type int4"},
		{`title = '5' AND points IN ('1.5')`, nil, "where", "is not a value of type int4"},
		{`id = 'x'`, nil, "where", "is not a value of type uuid"},
		{`title = 5`, nil, "where", "a number cannot be compared with a value of type text"},
		{`title IN (5)`, nil, "where", "a number cannot be compared with a value of type text"},
		{`title = ANY(ARRAY[5])`, nil, "where", "a number cannot be compared with a value of type text"},
		{`id = ANY(5)`, nil, "where", "is not a one-dimensional array, {a,b}"},
		{`id = ANY(NULL)`, nil, "where", "is not a one-dimensional array, {a,b}"},
		{`points = true`, nil, "where", "values of the types int4 and bool cannot be compared"},
		{`5::text = title`, nil, "where", "a number cannot be compared with a value of type text"},
		{`true::text = title`, nil, "where", "a boolean can only be cast to bool"},

		// Not a condition.
		{`title`, nil, "where", "is not a condition"},
		{`1`, nil, "where", "is not a condition"},
		{`points + 1`, nil, "where", "is not a condition"},
		{`NOT title`, nil, "where", "is not a condition"},
		{`done AND points`, nil, "where", "is not a condition"},
		{`points IS TRUE`, nil, "where", "is not a condition"},
		{`tags`, nil, "where", "is not a condition"},

		// More than the row at hand.
		{`id IN (SELECT id FROM secrets)`, nil, "where", "a subquery is not allowed"},
		{`EXISTS (SELECT 1)`, nil, "where", "a subquery is not allowed"},
		{`title = (SELECT 'a')`, nil, "where", "a subquery is not allowed"},
		{`title = ANY(SELECT 'a')`, nil, "where", "a subquery is not allowed"},
		{`title = ARRAY(SELECT 'a')`, nil, "where", "a subquery is not allowed"},
		{`count(*) > 1`, nil, "where", "this form of a function call is not allowed"},
		{`count(title) > 1`, nil, "where", `the function "count" is not allowed with these arguments`},
		{`lower(DISTINCT title) = 'a'`, nil, "where", "this form of a function call is not allowed"},
		{`lower(title) OVER () = 'a'`, nil, "where", "this form of a function call is not allowed"},
		{`lower(title) FILTER (WHERE true) = 'a'`, nil, "where", "this form of a function call is not allowed"},
		{`concat(VARIADIC tags) = 'a'`, nil, "where", "this form of a function call is not allowed"},
		{`lower(title, 'a') = 'a'`, nil, "where", `the function "lower" is not allowed with these arguments`},
		{`lower() = 'a'`, nil, "where", `the function "lower" is not allowed with these arguments`},
		{`"LOWER"(title) = 'a'`, nil, "where", `the function "LOWER" is not allowed with these arguments`},
		{`public.lower(title) = 'a'`, nil, "where", `the function "public.lower" is not allowed with these arguments`},
		{`pg_sleep(1) IS NULL`, nil, "where", `the function "pg_sleep" is not allowed with these arguments`},
		{`current_user = 'a'`, nil, "where", "a value of the session is not allowed"},
		{`current_setting('a') = 'a'`, nil, "where", `the function "current_setting" is not allowed with these arguments`},
		{`title COLLATE "C" = 'a'`, nil, "where", "COLLATE is not allowed"},
		{`created_at AT TIME ZONE 'UTC' > '2026-01-01'`, nil, "where", "this form of a function call is not allowed"},
		{`title OPERATOR(pg_catalog.=) 'a'`, nil, "where", `the operator "" is not allowed`},
		{`NULLIF(points, 1) = 1`, nil, "where", "this operator is not allowed"},
		{`(title, owner) = ('a', 'b')`, nil, "where", "a row is not allowed"},
		{`ROW(title) IS NULL`, nil, "where", "a row is not allowed"},
		{`title = ARRAY['a']`, nil, "where", "ARRAY[…] in this place is not allowed"},
		{`'a' IN ('a')`, nil, "where", "the left side of IN must hold a column or be a parameter"},
		{`'a' = ANY('{a}')`, nil, "where", "a side of ANY or ALL must hold a column"},
		{`title = ANY(owner)`, nil, "where", noArray},
		{`points = ANY(tags)`, nil, "where", "values of the types int4 and text cannot be compared"},
		{`id = ANY($1::text[])`, values("{}"), "where", "values of the types uuid and text cannot be compared"},
		{`id = ANY($1::text)`, values("{}"), "where", noArray},
		{`title = 'a'::name`, nil, "where", "a cast to this type is not allowed"},
		{`title = 'a'::regclass`, nil, "where", "a cast to this type is not allowed"},
		{`title = 'a'::public.text`, nil, "where", "a cast to this type is not allowed"},
		{`title = 'a'::varchar(3)`, nil, "where", "a cast to this type is not allowed"},
		{`title = 'a'::text::varchar`, nil, "where", castColumn},
	} {
		_, err := parseWhere(t, test.where, test.params)
		if err == nil {
			t.Errorf("%s: was accepted", test.where)
			continue
		}
		t.Run(test.where, func(t *testing.T) { checkRefused(t, err, test.field, test.message) })
	}
}

// Each of these can fail on the data of a row, which may be a row that the client
// may not see: see the package's documentation.
func TestOraclesAreRefused(t *testing.T) {
	for _, test := range []struct{ where, message string }{
		{`1 / points > 0`, `the operator "/" is not allowed`},
		{`points % 2 = 0`, `the operator "%" is not allowed`},
		{`points ^ 9 > 0`, `the operator "^" is not allowed`},
		{`points * 2 > 0`, `the operator "*" is not allowed`},
		{`@ points > 0`, `the operator "@" is not allowed`},
		{`|/ price > 0`, `the operator "|/" is not allowed`},
		{`points << 3 > 0`, `the operator "<<" is not allowed`},
		{`points + 9007199254740993 > 0`, "is not a number up to 2^53, which + and - take"},
		{`price + 1e300 > 0`, "is not a number up to 2^53, which + and - take"},
		{`price + cost > 0`, "+ and - are only allowed with one column of type float8"},
		{`amount + 1 > 0`, addends},
		{`day + 1 > '2026-01-01'`, addends},
		{`starts - starts > '1 day'`, addends},
		{`created_at + '1000000 years' > '2026-01-01T00:00:00Z'`, addends},
		{`coalesce(points, 1) + 1 > 0`, addends},
		{`1 + 1 = 2`, "+ and - take two sides, and a column on one of them"},
		{`points+points+points+points+points+points+points+points+points > 0`, "adds up more than 8 terms"},

		{`title::int > 0`, castColumn},
		{`CAST(title AS uuid) = '` + id1 + `'`, castColumn},
		{`price::int8 + 1 > 0`, castColumn},
		{`big::int4 + 1 > 0`, castColumn},
		{`(title || '')::uuid = '` + id1 + `'`, castColumn},
		{`amount > price`, "values of the types numeric and float8 cannot be compared"},
		{`amount > '1'::float8`, "values of the types numeric and float8 cannot be compared"},
		{`coalesce(amount, ratio) > 0`, "values of the types numeric and float4 cannot be compared"},
		{`amount IN ('1'::float8)`, "values of the types numeric and float8 cannot be compared"},
		{`amount = ANY('{1}'::float8[])`, "values of the types numeric and float8 cannot be compared"},
		{`day = starts`, "values of the types date and timestamp cannot be compared"},
		{`starts > created_at`, "values of the types timestamp and timestamptz cannot be compared"},
		{`coalesce(day, starts) IS NULL`, "values of the types date and timestamp cannot be compared"},
		{`id = title`, "values of the types uuid and text cannot be compared"},
		{`mood = title`, "values of the types mood and text cannot be compared"},

		{`points LIKE '1'`, "a value of type int4 is not text"},
		{`tags LIKE '1'`, "a value of type text[] is not text"},
		{`title LIKE 'a|%' ESCAPE '|'`, `the function "pg_catalog.like_escape" is not allowed with these arguments`},
		{`title ~ '(a+)+$'`, `the operator "~" is not allowed`},
		{`title ~* 'a'`, `the operator "~*" is not allowed`},
		{`title SIMILAR TO 'a'`, "this operator is not allowed"},
		{`substring(title from 1 for -1) = ''`, "this form of a function call is not allowed"},
		{`substr(title, 1, points) = ''`, `the function "substr" is not allowed with these arguments`},
		{`repeat(title, 1000000) = ''`, `the function "repeat" is not allowed with these arguments`},
		{`regexp_replace(title, 'a', 'b') = ''`, `the function "regexp_replace" is not allowed with these arguments`},
		{`to_date(title, 'YYYY') IS NULL`, `the function "to_date" is not allowed with these arguments`},
		{`concat(title,title,title,title,title,title,title,title,title) = ''`, "joins the texts of more than 8 columns"},
		{`title||title||title||title||title||title||title||title||title = ''`, "joins the texts of more than 8 columns"},
		{`concat(concat(title,title,title,title),concat(title,title,title,title),title) = ''`, "joins the texts of more than 8 columns"},
		{`concat(coalesce(title,owner,title),lower(title),title,title,title,title,title) = ''`, "joins the texts of more than 8 columns"},

		{`tags[points] = 'a'`, subscripts},
		{`tags[1:2] IS NULL`, subscripts},
		{`title[1] = 'a'`, subscripts},
		{`tags[1][1] = 'a'`, subscripts},
		{`tags['1'] = 'a'`, subscripts},
		{`tags[99999999999] = 'a'`, subscripts},
		{`metas[1] = '{}'`, "a value of type jsonb can only be tested with IS NULL"},
		{`tags || 'a' IS NULL`, "a value of type text[] is not text"},
		{`meta -> 'a' IS NULL`, `the operator "->" is not allowed`},
		{`meta ->> 'a' = 'b'`, `the operator "->>" is not allowed`},
		{`meta || '{}' IS NULL`, "a value of type jsonb is not text"},
		{`meta = '{}'`, "a value of type jsonb can only be tested with IS NULL"},
		{`'{}' = ANY(metas)`, "a value of type jsonb can only be tested with IS NULL"},
		{`raw = '\x00'`, "a value of type bytea can only be tested with IS NULL"},
		{`span = '1 day'`, "a value of type interval can only be tested with IS NULL"},
		{`concat(points, title) = ''`, "a value of type int4 is not text"},
		{`lower(points) = ''`, "a value of type int4 is not text"},
		{`length(tags) = 1`, "a value of type text[] is not text"},
		{`CASE WHEN points = 0 THEN true ELSE 1 / points > 0 END`, "CASE is not allowed"},
		{`metas = '{}'`, "an array of type jsonb can only be tested with IS NULL"},
		{`metas @> $1`, "an array of type jsonb can only be tested with IS NULL"},
		{`moods @> '{a}'`, "an array of type mood can only be tested with IS NULL"},
		{`tags @> scores`, "values of the types text and int4 cannot be compared"},
		{`tags > '{a}'`, "arrays have no order"},
		{`title @> 'a'`, `the operator "@>" takes a column of arrays`},
		{`meta @> '{}'`, `the operator "@>" takes a column of arrays`},
		{`tags && ARRAY[owner]`, "ARRAY[…] may only hold constants and parameters"},
		{`tags::int[] = '{1}'`, castColumn},
		{`moods::text[] = '{a}'`, castColumn},
		{`meta::text = ''`, castColumn},
		{`created_at::text = ''`, castColumn},
		{`mood::varchar = ''`, castColumn},
		{`day::timestamp > '2026-01-01'`, castColumn},
		{`title LIKE ANY(tags)`, "the pattern of LIKE ANY and LIKE ALL must be a constant"},
		{`title LIKE ALL(ARRAY[owner])`, "ARRAY[…] may only hold constants and parameters"},
		{`points LIKE ANY('{a}')`, "a value of type int4 is not text"},
		{`mood < ANY('{a}')`, "values of type mood have no order"},
		{`GREATEST(done, true)`, "values of type bool have no order"},
		{`LEAST(mood, 'a') = 'a'`, "values of type mood have no order"},
		{`price & 1 = 1`, `the operator "&" takes integers, and a column among them`},
		{`1 & 2 = 1`, `the operator "&" takes integers, and a column among them`},
		{`~title = ''`, `the operator "~" takes integers, and a column among them`},
		{`mood > 'happy'`, "values of type mood have no order"},
		{`done > false`, "values of type bool have no order"},
		{`mood BETWEEN 'a' AND 'b'`, "values of type mood have no order"},
	} {
		_, err := parseWhere(t, test.where, nil)
		if err == nil {
			t.Errorf("%s: was accepted", test.where)
			continue
		}
		t.Run(test.where, func(t *testing.T) { checkRefused(t, err, "where", test.message) })
	}
}

// None of these may cost more than an error: not the stack of the C parser, nor
// that of Go.
func TestExcessIsRefused(t *testing.T) {
	const n = 100_000
	for _, test := range []struct{ name, where, message string }{
		{"parentheses", strings.Repeat("(", n/2) + "true" + strings.Repeat(")", n/2-4), "has more than 20000 tokens"},
		{"fewer parentheses", strings.Repeat("(", n/20) + "true" + strings.Repeat(")", n/20), "is nested too deep"},
		{"open parentheses", strings.Repeat("(", n), "has more than 20000 tokens"},
		{"closed parentheses", strings.Repeat(")", n/20), notOne},
		{"NOTs", strings.Repeat("NOT ", n/20) + "true", "is nested too deep"},
		{"many NOTs", strings.Repeat("NOT ", n/4-1), "has more than 20000 tokens"},
		{"minuses", strings.Repeat("- ", n/2), "has more than 20000 tokens"},
		{"fewer minuses", "points = " + strings.Repeat("- ", n/20) + "1", "is nested too deep"},
		{"casts", "title = 'a'" + strings.Repeat("::text", n/20), "is nested too deep"},
		{"IS NULLs", "title" + strings.Repeat(" IS NULL", n/20), "is nested too deep"},
		{"subscripts", "tags" + strings.Repeat("[1]", n/20) + " = 'a'", subscripts},
		{"nested subscripts", strings.Repeat("tags[", n/50) + "1" + strings.Repeat("]", n/50) + " = 'a'", "is nested too deep"},
		{"concatenations", "title" + strings.Repeat(" || 'a'", n/20) + " = 'a'", "is nested too deep"},
		{"sums", "points" + strings.Repeat(" + 1", n/20) + " = 1", "is nested too deep"},
		{"CASEs", strings.Repeat("CASE WHEN ", n/50) + "true" + strings.Repeat(" THEN true END", n/50), "is nested too deep"},
		{"nested calls", strings.Repeat("lower(", n/50) + "title" + strings.Repeat(")", n/50) + " = 'a'", "is nested too deep"},
		{"dots", "a" + strings.Repeat(".a", n/20) + " = 1", "is nested too deep"},
		{"bytes", "title = '" + strings.Repeat("a", 2*n) + "'", "is longer than 100000 bytes"},
	} {
		_, err := parseWhere(t, test.where, nil)
		t.Run(test.name, func(t *testing.T) { checkRefused(t, err, "where", test.message) })
	}
}

// A value is sent once and can be referred to many times.
func TestReferencesToLongParamsAreBounded(t *testing.T) {
	long := strings.Repeat("a", 1<<19)
	for _, where := range []string{
		"title = ANY(ARRAY['a'" + strings.Repeat(", $1", 5_000) + "])",
		"title LIKE concat('a'" + strings.Repeat(", $1", 5_000) + ")",
		"title = $1" + strings.Repeat(" OR title = $1", 2_000),
		"title = ANY($2)" + strings.Repeat(" OR title = ANY($2)", 2_000),
	} {
		_, err := parseWhere(t, where, values(long, "{"+long+"}"))
		t.Run(where[:20], func(t *testing.T) { checkRefused(t, err, "where", "refers to long parameters too often") })
	}
	if _, err := parseWhere(t, "title = $1 OR owner = $1 OR title = ANY($2)", values(long, "{"+long+"}")); err != nil {
		t.Error(err)
	}
}

// What is long without being deep is fine.
func TestLongListsAreAccepted(t *testing.T) {
	for name, where := range map[string]string{
		"AND":              "done" + strings.Repeat(" AND done", 4_999),
		"OR":               "points = 1" + strings.Repeat(" OR points = 1", 1_000),
		"AND in OR":        "done" + strings.Repeat(" OR done AND done", 1_000),
		"IN":               "points IN (1" + strings.Repeat(", 1", 9_900) + ")",
		"ORs to the left":  strings.Repeat("(", 450) + "points = 1" + strings.Repeat(" OR points = 1)", 450),
		"ORs to the right": strings.Repeat("points = 1 OR (", 450) + "done" + strings.Repeat(")", 450),
		"ORs and ANDs":     strings.Repeat("(done OR (done AND ", 225) + "done" + strings.Repeat("))", 225),
		"groups":           "(done)" + strings.Repeat(" AND (done OR points = 1)", 500),
		"NOTs":             strings.Repeat("NOT ", 390) + "done",
		"parentheses":      strings.Repeat("(", 390) + "done" + strings.Repeat(")", 390),
		"calls":            strings.Repeat("lower(", 190) + "title" + strings.Repeat(")", 190) + " = 'a'",
		"NOTs in COALESCE": strings.Repeat("(NOT ", 190) + "done" + strings.Repeat(") IS NULL", 190),
		"deep but sane":    strings.Repeat("(done OR (points = 1 AND ", 40) + "done" + strings.Repeat("))", 40),
	} {
		if _, err := parseWhere(t, where, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := values(slices.Repeat([]any{"a"}, 3_000)...)
	for _, where := range []string{
		ors(3_000, "title"),
		"(" + strings.ReplaceAll(ors(3_000, "title"), " OR ", ") OR (") + ")",
		strings.ReplaceAll(ors(3_000, "title"), "title", "organization_id"),
	} {
		if _, err := parseWhere(t, where, many); err != nil && !strings.Contains(err.Error(), "unknown column") {
			t.Errorf("%.60s…: %v", where, err)
		}
	}
}
