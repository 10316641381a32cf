package subset_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy/subset"
)

// The rows that wheres are run over. Row 3 has NULLs.
const rowsSQL = `create type mood as enum ('happy', 'sad');
	create table r(n int primary key, id uuid, title text, owner varchar, points int4, small int2, big int8, price float8,
		done bool, mood mood, tags text[], codes varchar[], scores int4[], totals int8[]);
	insert into r values
		(1, '11111111-1111-4111-8111-111111111111', 'abc', 'a%', 5, 1, 9000000000, 1.5, true, 'happy', '{a,b}', '{a}', '{1,2}', '{1}'),
		(2, '33333333-3333-4333-8333-333333333333', 'ab_', 'ab\', -2147483648, 2, -1, -1.5, false, 'sad', '{}', '{b}', '{2}', '{5,6}'),
		(3, null, null, null, null, null, null, null, null, null, null, null, null, null)`

var rowColumns = subset.Columns{
	"n": {Type: "int4"}, "id": {Type: "uuid"}, "title": {Type: "text"}, "owner": {Type: "varchar"}, "points": {Type: "int4"},
	"small": {Type: "int2"}, "big": {Type: "int8"}, "price": {Type: "float8"}, "done": {Type: "bool"}, "mood": {Type: "mood"},
	"tags": {Type: "text", Dims: 1}, "codes": {Type: "varchar", Dims: 1}, "scores": {Type: "int4", Dims: 1}, "totals": {Type: "int8", Dims: 1},
}

// What a client asks for selects the rows that it means, also where its values are
// none that a column can hold, and also under NOT.
func TestRowsThatAreSelected(t *testing.T) {
	s := electrictest.New(electrictest.Options{})
	defer s.Close()
	if _, err := s.Exec(rowsSQL); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	for _, test := range []struct {
		where  string
		params params
		rows   string // for which it is true
		others string // for which its negation is true
	}{
		{`id = $1`, values("temp-123"), "", "12"},
		{`id <> $1`, values("temp-123"), "12", ""},
		{`id = $1`, values(strings.ToUpper(id1)), "1", "2"},
		{`id = $1`, values(strings.ReplaceAll(id1, "-", "")), "1", "2"},
		{`id IN ($1, $2)`, values("temp", id1), "1", "2"},
		{`id IN ($1)`, values("temp"), "", "12"},
		{`id NOT IN ($1, $2)`, values("temp", id1), "2", "1"},
		{`id = ANY($1)`, values("{temp," + id1 + "}"), "1", "2"},
		{`id = ANY($1)`, values("{temp}"), "", "12"},
		{`id <> ALL($1)`, values("{temp," + id1 + "}"), "2", "1"},
		{`id IS DISTINCT FROM $1`, values("temp"), "123", ""},
		{`id < $1 OR id > $1`, values("temp"), "", "12"},

		{`points < $1`, values("99999999999"), "12", ""},
		{`points >= $1`, values("99999999999"), "", "12"},
		{`points > $1`, values("-99999999999"), "12", ""},
		{`points BETWEEN -99999999999 AND 99999999999`, nil, "12", ""},
		{`points > 4.5`, nil, "1", "2"},
		{`points > 5.5`, nil, "", "12"},
		{`points >= 4.5 AND points <= 5.5`, nil, "1", "2"},
		{`points = 4.5`, nil, "", "12"},
		{`points <> $1`, values("4.5"), "12", ""},
		{`small = $1 OR points = $1`, values("70000"), "", "12"},
		{`-points > 0`, nil, "2", "1"},
		{`points & 4 = 4`, nil, "1", "2"},
		{`~small = -2 OR small # 3 = 0`, nil, "1", "2"},
		{`GREATEST(points, small) = 5`, nil, "1", "2"},
		{`LEAST(points, 0) = 0`, nil, "13", "2"},
		{`points BETWEEN SYMMETRIC 9 AND 1`, nil, "1", "2"},
		{`points::text = '5' AND small::float8 < 1.5 AND done::text = 'true' AND done::int4 = 1`, nil, "1", "2"},

		{`mood = $1`, values("happy"), "1", "2"},
		{`mood = $1`, values("no such mood"), "", "12"},
		{`mood::text IN ($1, 'x')`, values("sad"), "2", "1"},
		{`mood = ANY($1)`, values("{sad,x}"), "2", "1"},
		{`mood::text LIKE 'h%'`, nil, "1", "2"},

		{`tags @> ARRAY[$1]`, values("a"), "1", "2"},
		{`tags @> $1`, values("{b,a}"), "1", "2"},
		{`tags <@ $1`, values("{a}"), "2", "1"},
		{`$1 <@ tags`, values("{a}"), "1", "2"},
		{`tags && $1`, values("{a,x}"), "1", "2"},
		{`tags = $1`, values("{a,b}"), "1", "2"},
		{`tags <> $1`, values("{b,a}"), "12", ""},
		{`tags @> codes`, nil, "1", "2"},
		{`scores @> $1`, values("{1,x}"), "", "12"},
		{`scores <@ $1`, values("{2,x}"), "2", "1"},
		{`scores && $1`, values("{2,x}"), "12", ""},
		{`scores = $1`, values("{2,x}"), "", "12"},
		{`totals <@ scores`, nil, "1", "2"},
		{`small = ANY(totals)`, nil, "1", "2"},
		{`$1 = ANY(scores)`, values("1"), "1", "2"},
		{`$1 = ANY(scores)`, values("x"), "", "12"},
		{`$1 <> ALL(scores)`, values("x"), "12", ""},
		{`small < ALL(totals) OR big > ANY(scores)`, nil, "12", ""},
		{`$1 IN (title, owner)`, values("abc"), "1", "2"},
		{`title = ANY(ARRAY[owner, $1])`, values("abc"), "1", "2"},

		{`tags[1] = $1 OR scores[9] IS NOT NULL`, values("a"), "1", ""},

		{`title LIKE owner`, nil, "1", "2"}, // row 2: ab_ and a pattern that is not whole
		{`title NOT LIKE owner`, nil, "2", "1"},
		{`title LIKE owner || '%'`, nil, "1", "2"},
		{`title LIKE $1`, values(`ab\`), "", "12"},
		{`title NOT ILIKE $1`, values(`ab\`), "12", ""},
		{`title LIKE $1`, values(`ab\_`), "2", "1"},
		{`title LIKE ANY($1)`, values(`{"ab\\",%c}`), "1", "2"},
		{`title LIKE ALL($1)`, values(`{"ab\\",%}`), "", "12"},
		{`title NOT LIKE ALL($1)`, values(`{"ab\\",%c}`), "2", "1"},
	} {
		if got := selected(t, server.URL, test.where, test.params); got != test.rows {
			t.Errorf("%s %v: rows %q, want %q", test.where, test.params, got, test.rows)
		}
		if got := selected(t, server.URL, "NOT ("+test.where+")", test.params); got != test.others {
			t.Errorf("NOT (%s) %v: rows %q, want %q", test.where, test.params, got, test.others)
		}
	}
}

// selected returns the numbers of the rows that a where selects, in order.
func selected(t *testing.T, url, where string, p params) string {
	t.Helper()
	r, _, err := subset.ParseBody(bodyOf(t, map[string]any{"where": where, "params": p}), &subset.Table{Columns: rowColumns})
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	body := bodyOf(t, map[string]any{"where": r.Where.SQL(0), "params": r.UpstreamParams(0)})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/shape?table=r&offset=now", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s as %s: %d %s %v", where, r.Where.SQL(0), res.StatusCode, text, err)
	}
	var answer struct {
		Data []struct{ Value struct{ N string } }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var rows []string
	for _, row := range answer.Data {
		rows = append(rows, row.Value.N)
	}
	sort.Strings(rows)
	return strings.Join(rows, "")
}
