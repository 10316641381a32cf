package electrictest

import (
	"strings"
	"testing"
)

const typesDDL = `create type mood as enum ('happy', 'sad'); create table v(
	id int primary key, i int, big int8, f float8, n numeric(10,2), t text, c varchar(10), b bool, u uuid,
	d date, ts timestamp, tz timestamptz, tags text[], nums int[], j jsonb,
	mood mood, bigs int8[], codes varchar(10)[])`

// newTypes returns a server whose table v has one row of values, one of NULLs.
func newTypes(t *testing.T) *Server {
	t.Helper()
	s := New(Options{})
	t.Cleanup(s.Close)
	if _, err := s.Exec(typesDDL); err != nil {
		t.Fatal(err)
	}
	_, err := s.Exec(`insert into v values (1, 5, 9007199254740993, 1.5, 2.5, 'Ünï_x%', 'abc', true,
		'AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA', '2026-01-02', '2026-01-02 03:04:05.5', '2026-01-02T03:04:05+02:00',
		'{a,"b c",NULL}', '{1,2,3}', '{"b": 1.0, "a":[1,2]}', 'happy', '{3}', '{a}'), (2)`)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func eval(t *testing.T, s *Server, id, where string, params map[string]string) (string, error) {
	t.Helper()
	tab := s.catalog.tables[relation{"public", "v"}]
	c, err := compileCondition(where, params, tab.scope(nil), "subqueries")
	if err != nil {
		return "", err
	}
	rows := tab.lookup(&idSet{texts: []string{id}})
	d := c.expr.get(rows[0].cells)
	switch {
	case d.null:
		return "null", nil
	case d.i == 1:
		return "true", nil
	default:
		return "false", nil
	}
}

// TestWhereFollowsThreeValuedLogic evaluates each where for a row of values (1)
// and a row of NULLs (2).
func TestWhereFollowsThreeValuedLogic(t *testing.T) {
	s := newTypes(t)
	p := map[string]string{"1": "5", "2": "a"}
	for _, c := range []struct{ where, one, two string }{
		{"true", "true", "true"},
		{"i = 5", "true", "null"},
		{"i = $1", "true", "null"},
		{"$1 = i", "true", "null"},
		{"i <> 5", "false", "null"},
		{"i < 5.5 and i >= f", "true", "null"},
		{"big = 9007199254740993", "true", "null"},
		{"big = 9007199254740992", "false", "null"},
		{"n = 2.5", "true", "null"},
		{"i + 1 = 6 and i - 1 = 4 and i * 2 = 10 and -i = -5", "true", "null"},
		{"i = 5 or t = 'nope'", "true", "null"},
		{"i = 5 or true", "true", "true"},
		{"i = 5 and false", "false", "false"},
		{"not (i = 5)", "false", "null"},
		{"b", "true", "null"},
		{"not b", "false", "null"},
		{"b = true", "true", "null"},
		{"b is true", "true", "false"},
		{"b is not true", "false", "true"},
		{"b is false", "false", "false"},
		{"b is unknown", "false", "true"},
		{"b is not unknown", "true", "false"},
		{"i is null", "false", "true"},
		{"j is not null", "true", "false"},
		{"i in (1, 5)", "true", "null"},
		{"i not in (1, 5)", "false", "null"},
		{"i not in (1, null)", "null", "null"},
		{"i in (5, null)", "true", "null"},
		{"i between 1 and 5", "true", "null"},
		{"i not between 1 and 5", "false", "null"},
		{"i between symmetric 9 and 1", "true", "null"},
		{"i = any('{1,5}')", "true", "null"},
		{"i = any('{}')", "false", "false"}, // Postgres does not look at i
		{"i <> all('{}')", "true", "true"},
		{"i = any('{1,null}')", "null", "null"},
		{"i = any(array[1, 5])", "true", "null"},
		{"i <> all('{1,2}')", "true", "null"},
		{"i <> all('{1,5}')", "false", "null"},
		{"i > all('{1,2}')", "true", "null"},
		{"i < any('{1,9}')", "true", "null"},
		{"'a' = any(tags)", "true", "null"},
		{"'z' = any(tags)", "null", "null"},
		{"2 = any(nums)", "true", "null"},
		{"nums @> '{1,2}'", "true", "null"},
		{"nums && '{9}'", "false", "null"},
		{"'{1}' <@ nums", "true", "null"},
		{"nums = '{1,2,3}'", "true", "null"},
		{"i is distinct from 5", "false", "true"},
		{"i is not distinct from null", "false", "true"},
		{"t like 'Ü%'", "true", "null"},
		{"t like '_n___\\%'", "true", "null"},
		{"t like '%\\_x%'", "true", "null"},
		{"t not like 'z%'", "true", "null"},
		{"t ilike 'üN%'", "true", "null"},
		{"t not ilike 'ü%'", "false", "null"},
		{"upper(c) = 'ABC' and lower('X') = 'x'", "true", "null"},
		{"c || '!' = 'abc!'", "true", "null"},
		{"concat(c, null, '!') = 'abc!'", "true", "false"},
		{"coalesce(c, 'none') = 'none'", "false", "true"},
		{"greatest(i, 7) = 7 and least(i, 7) = 5", "true", "false"},
		{"u = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'", "true", "null"},
		{"u = any('{AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa}')", "true", "null"},
		{"d = '2026-01-02' and d < ts", "true", "null"},
		{"ts > '2026-01-02T03:04:05'", "true", "null"},
		{"tz = '2026-01-02 01:04:05Z'", "true", "null"},
		{"i = '5'::int4 and '2026-01-02'::date = d and i::text = '5'", "true", "null"},
		{"(i = 5)", "true", "null"},
		{"nums <@ '{1,2,3,4}' and nums @> nums", "true", "null"},
		{"tags @> '{a}' and tags && array[$2] and not tags @> '{NULL}'", "true", "null"},
		{"tags = '{a,b c,NULL}' and tags <> '{a}'", "true", "null"},
		{"tags[1] = 'a' and nums[3] = 3", "true", "null"},
		{"tags[0] = 'a'", "null", "null"},
		{"tags[3] is null and nums[4] is null", "true", "true"},
		{"tags is distinct from '{a}'", "true", "true"},
		{"nums::int8[] @> bigs and bigs = '{3}'::int8[]", "true", "null"},
		{"codes::text[] <@ tags and c <> all(codes)", "true", "null"},
		{"i = any(bigs) or 3 = any(bigs)", "true", "null"},
		{"c = any(tags)", "null", "null"},
		{"c like any('{z,a%}') and c not like all('{z,y%}') and c ilike all('{A%,%C}')", "true", "null"},
		{"c like any('{z,null}')", "null", "null"},
		{"c not like any('{a%}')", "false", "null"},
		{"i & 4 = 4 and i | 2 = 7 and i # 1 = 4 and ~i = -6", "true", "null"},
		{"i & big = 1", "true", "null"},
		{"0 - i::int8 = -5", "true", "null"},
		{"mood::text = 'happy' and mood::text in ($2, 'happy') and mood::text like 'h%'", "true", "null"},
		{"i is null and null::bool", "false", "null"},
		{"i is not null or null::bool", "true", "null"},
		{"not (i is null and null::bool)", "true", "null"},
		{"(c || 'x'::text) like (c || '_'::text)", "true", "null"},
		{"('a' || 'x') like ('a\\' || '_')", "false", "false"},
		{"('a_' || 'x') like ('a\\' || '_')", "false", "false"},
		{"b::text = 'true' and b::int4 = 1 and i::bool", "true", "null"},
		{"true limit 1", "true", "true"}, // Electric does not look for it
	} {
		for id, want := range map[string]string{"1": c.one, "2": c.two} {
			got, err := eval(t, s, id, c.where, p)
			if err != nil || got != want {
				t.Errorf("row %s, %s: %s (%v), want %s", id, c.where, got, err, want)
			}
		}
	}
}

func TestWhereRefusesWhatElectricRefuses(t *testing.T) {
	s := newTypes(t)
	p := map[string]string{"1": "x", "2": "{not-a-uuid}"}
	for where, want := range map[string]string{
		"nope = 1":                      "At location 0: unknown reference nope",
		`"Nope" = 1`:                    `At location 0: unknown reference "Nope"`,
		"v.i = 1":                       "unknown reference v.i",
		"i = 'x'":                       "At location 4: invalid syntax for type int4: x",
		"i = $1":                        "At location 4: invalid syntax for type int4: x",
		"u = any($2)":                   "At location 8: invalid syntax for type uuid[]: {not-a-uuid}",
		"i = $9":                        "At location 4: parameter $9 was not provided",
		"t = $1 and i = $1":             "Could not select an operator overload",
		"i":                             "must return a boolean",
		"'true'":                        "must return a boolean",
		"null":                          "must return a boolean",
		"i = t":                         "Could not select an operator overload",
		"b < true":                      "Could not select an operator overload",
		"mood = 'happy'":                "invalid syntax for type mood",
		"tags[1:2] = tags":              "not imitated",
		"t[1] = 'a'":                    "not imitated",
		"tags @> nums":                  "Could not select an operator overload",
		"codes @> tags":                 "Could not select an operator overload",
		"nums::int2[] = nums":           "unknown cast from type int4[] to type int2[]",
		"tags::int4[] = nums":           "unknown cast from type text[] to type int4[]",
		"i like any('{a}')":             "invalid syntax for type int4[]",
		"t & 1 = 1":                     "Could not select an operator overload",
		"~t = ''":                       "unknown unary operator ~",
		"j = '{}'":                      "invalid syntax for type jsonb",
		"length(t) = 1":                 "unknown or unsupported function length/1",
		"now() > tz":                    "unknown or unsupported function now/0",
		"pg_sleep(1) is null":           "unknown or unsupported function",
		"count(*) = 1":                  "aggregation",
		"tz = '2026-01-01 00:00:00'":    "invalid syntax for type timestamptz",
		"u = 'aaaaaaaaaaaa4aaa8aaa'":    "invalid syntax for type uuid",
		"i in (select 1)":               "subqueries",
		"true) or (true":                "syntax error",
		"true; drop table v":            `unescaped ";"`,
		"true order by i":               "malformed query",
		"true union select 1":           "malformed query",
		"t::json is null":               "unsupported type json",
		"case when b then b else b end": "not supported in this context",
	} {
		if _, err := eval(t, s, "1", where, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", where, err, want)
		}
	}
}

// TestMainWhereWithOrWidensSubsets names a flaw of Electric 1.7.12 that the
// package imitates: the main where stands without parentheses before the
// subset's.
func TestMainWhereWithOrWidensSubsets(t *testing.T) {
	s := newTypes(t)
	tab := s.catalog.tables[relation{"public", "v"}]
	compile := func(where string, params map[string]string) *condition {
		c, err := compileCondition(where, params, tab.scope(nil), "")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct {
		base string
		want bool
	}{
		{"i = $1 OR i = $2", true},   // i = 5 OR i = 6 AND (false)
		{"(i = $1 OR i = $2)", true}, // the parentheses are gone once it is printed
		{"(i = $1 OR i = $2) AND true", false},
		{"i IN ($1, $2)", false},
	} {
		joined, err := compile(c.base, map[string]string{"1": "5", "2": "6"}).
			and(compile("i = $1", map[string]string{"1": "7"}), tab.scope(nil))
		if err != nil {
			t.Fatal(err)
		}
		row := tab.lookup(&idSet{texts: []string{"1"}})[0]
		if got := joined.holds(row); got != c.want {
			t.Errorf("%s: the subset holds the row: %t, want %t", c.base, got, c.want)
		}
	}
}
