package subset_test

import (
	"strings"
	"testing"
)

const (
	notOne     = "is not one SQL expression"
	otherKind  = "holds a string of another kind than '…'"
	addends    = "+ and - are only allowed for columns of type int2, int4, int8, float4 and float8 and for numbers"
	castColumn = "only constants and parameters can be cast"
	likeLeft   = "the left side of LIKE must be text and hold a column"
	likeRight  = "the pattern of LIKE must be a constant text"
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
		{`documents.title = 'a'`, nil, "where", "a column must be named without its table"},
		{`documents.* IS NULL`, nil, "where", "a column must be named without its table"},
		{`ctid = '(0,1)'`, nil, "where", `unknown column "ctid"`},
		{`"` + strings.Repeat("x", 100) + `" = 1`, nil, "where", `unknown column "` + strings.Repeat("x", 63) + `"`},

		// Parameters.
		{`title = $9`, values("a"), "where", "$9 has no value"},
		{`title = $1`, nil, "where", "$1 has no value"},
		{`title = $0`, values("a"), "where", "$0 has no value"},
		{`id = $1`, values("not-a-uuid"), "params.1", "is not a value of type uuid"},
		{`$2 = id`, values("", "{"+id1+"}"), "params.2", "is not a value of type uuid"},
		{`points > $1`, values("2147483648"), "params.1", "is not a value of type int4"},
		{`small IN (1, $1)`, values("x"), "params.1", "is not a value of type int2"},
		{`points > $1`, values(""), "params.1", "is not a value of type int4"},
		{`done = $1`, values("yes"), "params.1", "is not a value of type bool"},
		{`created_at > $1`, values("2026-01-01"), "params.1", "is not a value of type timestamptz"},
		{`points BETWEEN 1 AND $1`, values("1.5"), "params.1", "is not a value of type int4"},
		{`coalesce(points, $1) = 1`, values("x"), "params.1", "is not a value of type int4"},
		{`points = $1::int`, values("x"), "params.1", "is not a value of type int4"},
		{`title = $1::uuid`, values("x"), "params.1", "is not a value of type uuid"},
		{`points + $1 > 1`, values("x"), "params.1", "is not a number up to 2^53, which + and - take"},
		{`id = ANY($1)`, values("{not-a-uuid}"), "params.1", "holds an element that is not a value of type uuid"},
		{`id = ANY($1)`, values(id1), "params.1", "is not a one-dimensional array, {a,b}"},
		{`id = ANY($1)`, values("{{" + id1 + "}}"), "params.1", "is not a one-dimensional array, {a,b}"},
		{`title = ANY($1)`, values("[1:1]={a}"), "params.1", "is not a one-dimensional array, {a,b}"},
		{`$1`, values("maybe"), "params.1", "is not a value of type bool"},

		// Constants.
		{`id = 'x'`, nil, "where", "is not a value of type uuid"},
		{`points = 1.5`, nil, "where", "is not a value of type int4"},
		{`points = 99999999999`, nil, "where", "is not a value of type int4"},
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
		{`GREATEST(points, 1) = 1`, nil, "where", "GREATEST or LEAST is not allowed"},
		{`NULLIF(points, 1) = 1`, nil, "where", "this operator is not allowed"},
		{`(title, owner) = ('a', 'b')`, nil, "where", "a row is not allowed"},
		{`ROW(title) IS NULL`, nil, "where", "a row is not allowed"},
		{`title = ARRAY['a']`, nil, "where", "ARRAY[…] outside of ANY is not allowed"},
		{`tags = '{a}'`, nil, "where", "an array can only be tested with IS NULL and ANY"},
		{`tags @> '{a}'`, nil, "where", `the operator "@>" is not allowed`},
		{`title < ANY('{a}')`, nil, "where", "ANY is only allowed with ="},
		{`title = ALL('{a}')`, nil, "where", "ALL is only allowed with <>"},
		{`title IN ('a', owner)`, nil, "where", "a list of IN may only hold constants and parameters"},
		{`'a' IN ('a')`, nil, "where", "the left side of IN must hold a column"},
		{`'a' = ANY('{a}')`, nil, "where", "a side of ANY or ALL must hold a column"},
		{`title = ANY(ARRAY[owner])`, nil, "where", "ARRAY[…] may only hold constants and parameters"},
		{`title = ANY(owner)`, nil, "where", "ANY and ALL take an array column, a constant or a parameter"},
		{`points = ANY(tags)`, nil, "where", "values of the types int4 and text cannot be compared"},
		{`id = ANY($1::text[])`, values("{}"), "where", "values of the types uuid and text cannot be compared"},
		{`id = ANY($1::text)`, values("{}"), "where", "ANY and ALL take an array"},
		{`points BETWEEN SYMMETRIC 1 AND 2`, nil, "where", "this operator is not allowed"},
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
		{`-points > 0`, "+ and - are only allowed for columns of type int2, int4, int8, float4 and float8 and for numbers"},
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
		{`points::text = '1'`, castColumn},
		{`CAST(title AS uuid) = '` + id1 + `'`, castColumn},
		{`points::int8 > 0`, castColumn},
		{`price::int8 + 1 > 0`, castColumn},
		{`big::int4 + 1 > 0`, "only constants and parameters can be cast"},
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

		{`title LIKE owner`, likeRight},
		{`title LIKE owner || '%'`, likeRight},
		{`title LIKE lower(owner)`, likeRight},
		{`title LIKE coalesce(owner, '%')`, likeRight},
		{`title LIKE coalesce('\', '%')`, likeRight},
		{`title LIKE NULL`, likeRight},
		{`'a' LIKE 'a'`, likeLeft},
		{`points LIKE '1'`, likeLeft},
		{`tags LIKE '1'`, likeLeft},
		{`title LIKE 'a\'`, "is a pattern that ends in an escape character"},
		{`title LIKE 'a\\\'`, "is a pattern that ends in an escape character"},
		{`title NOT ILIKE '\'`, "is a pattern that ends in an escape character"},
		{`title LIKE upper('a\')`, "is a pattern that ends in an escape character"},
		{`title LIKE 'a' || '\'`, "is a pattern that ends in an escape character"},
		{`title LIKE concat('a\', NULL, '')`, "is a pattern that ends in an escape character"},
		{`title LIKE 'a\'::text`, "is a pattern that ends in an escape character"},
		{`title LIKE 'a|%' ESCAPE '|'`, `the function "pg_catalog.like_escape" is not allowed with these arguments`},
		{`like(title, owner)`, `the function "like" is not allowed with these arguments`},
		{`title ~ '(a+)+$'`, `the operator "~" is not allowed`},
		{`title ~* 'a'`, `the operator "~*" is not allowed`},
		{`title ~~ owner`, `the operator "~~" is not allowed`},
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

		{`tags[points] = 'a'`, "a subscript is not allowed"},
		{`tags[1:2] IS NULL`, "a subscript is not allowed"},
		{`tags || 'a' IS NULL`, "a value of type text is not text"},
		{`meta -> 'a' IS NULL`, `the operator "->" is not allowed`},
		{`meta ->> 'a' = 'b'`, `the operator "->>" is not allowed`},
		{`meta || '{}' IS NULL`, "a value of type jsonb is not text"},
		{`meta = '{}'`, "a value of type jsonb can only be tested with IS NULL"},
		{`'{}' = ANY(metas)`, "a value of type jsonb can only be tested with IS NULL"},
		{`raw = '\x00'`, "a value of type bytea can only be tested with IS NULL"},
		{`span = '1 day'`, "a value of type interval can only be tested with IS NULL"},
		{`concat(points, title) = ''`, "a value of type int4 is not text"},
		{`lower(points) = ''`, "a value of type int4 is not text"},
		{`length(tags) = 1`, "a value of type text is not text"},
		{`CASE WHEN points = 0 THEN true ELSE 1 / points > 0 END`, "CASE is not allowed"},
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
	_, err := parseWhere(t, `title LIKE $1`, values(`a\`))
	checkRefused(t, err, "params.1", "is a pattern that ends in an escape character")
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
		{"many NOTs", strings.Repeat("NOT ", n/2), "has more than 20000 tokens"},
		{"minuses", strings.Repeat("- ", n), "has more than 20000 tokens"},
		{"fewer minuses", "points = " + strings.Repeat("- ", n/20) + "1", "is nested too deep"},
		{"casts", "title = 'a'" + strings.Repeat("::text", n/20), "is nested too deep"},
		{"IS NULLs", "title" + strings.Repeat(" IS NULL", n/20), "is nested too deep"},
		{"subscripts", "tags" + strings.Repeat("[1]", n/20) + " = 'a'", "a subscript is not allowed"},
		{"nested subscripts", strings.Repeat("tags[", n/50) + "1" + strings.Repeat("]", n/50) + " = 'a'", "is nested too deep"},
		{"concatenations", "title" + strings.Repeat(" || 'a'", n/20) + " = 'a'", "is nested too deep"},
		{"sums", "points" + strings.Repeat(" + 1", n/20) + " = 1", "is nested too deep"},
		{"CASEs", strings.Repeat("CASE WHEN ", n/50) + "true" + strings.Repeat(" THEN true END", n/50), "is nested too deep"},
		{"nested calls", strings.Repeat("lower(", n/50) + "title" + strings.Repeat(")", n/50) + " = 'a'", "is nested too deep"},
		{"dots", "a" + strings.Repeat(".a", n/20) + " = 1", "is nested too deep"},
		{"bytes", "title = '" + strings.Repeat("a", 2*n) + "'", "is longer than 200000 bytes"},
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
}
