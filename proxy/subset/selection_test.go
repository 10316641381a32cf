package subset

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	uuidA = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
	uuidB = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
	uuidC = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
)

func selectionOf(t testing.TB, typ, body string) (*Selection, error) {
	t.Helper()
	r, ok, err := ParseBody([]byte(body), &Table{Name: "actions", Columns: Columns{"id": {Type: typ}, "edit": {Type: "bool"}}})
	if err != nil {
		return nil, err
	}
	if !ok {
		t.Fatalf("no subset: %s", body)
	}
	return r.SelectionByID("id", typ)
}

func TestSelectionByID(t *testing.T) {
	for _, test := range []struct{ typ, body, want string }{
		{"text", `{"where": "\"id\" = $1", "params": {"1": "b"}}`, "b"},
		{"text", `{"where": "id = ANY($1)", "params": {"1": "{c,a,no}"}}`, "a c"},
		{"text", `{"where": "$1 = id", "params": {"1": "b"}}`, "b"},
		{"text", `{"where": "id IN ($1, 'c')", "params": {"1": "b"}}`, "b c"},
		{"text", `{"where": "id <> $1", "params": {"1": "b"}}`, "a c d"},
		{"text", `{"where": "id <> ALL($1)", "params": {"1": "{b,c}"}}`, "a d"},
		{"text", `{"where": "NOT (id = ANY($1))", "params": {"1": "{b}"}}`, "a c d"},
		{"text", `{"where": "id = ANY($1) AND NOT id = ANY($2)", "params": {"1": "{a,b}", "2": "{b}"}}`, "a"},
		{"text", `{"where": "id = $1 OR id = $2", "params": {"1": "d", "2": "a"}}`, "a d"},
		{"text", `{"where": "id = ANY('{a,b}') AND true"}`, "a b"},
		{"text", `{"where": "id IS NOT NULL"}`, "a b c d"},
		{"text", `{"where": "id IS NULL"}`, ""},
		{"text", `{"where": "id IN ('a', 'b') AND id <> 'b' OR NOT (id <> 'c' OR id = 'd')"}`, "a c"},
		{"text", `{"where": "NOT (id = 'a' OR id <> ALL('{a,b,c}')) AND id <> 'c'"}`, "b"},
		{"text", `{"where": "(id <> 'a' OR id <> 'b') AND (id <> 'c' OR id = 'd')"}`, "a b d"},
		{"text", `{"where": "(id IS NULL AND NULL) OR id = 'a'"}`, "a"},
		{"text", `{"where": null}`, "a b c d"},
		{"text", `{"where": "true = true"}`, "a b c d"},
		{"text", `{"where": "true = false"}`, ""},
		{"text", `{"where": "(true = true) AND id = 'b'"}`, "b"},
		{"text", `{"order_by": "id DESC"}`, "d c b a"},
		{"text", `{"order_by": "\"id\" ASC NULLS FIRST", "limit": 2}`, "a b"},
		{"text", `{"order_by": "id", "limit": 2, "offset": 1}`, "b c"},
		{"text", `{"order_by": "id", "offset": 9}`, ""},
		{"text", `{"where": "id <> $1", "params": {"1": "a"}, "order_by": "id DESC", "limit": 1}`, "d"},
		// What is no value of the type equals nothing, and differs from everything.
		{"uuid", `{"where": "id = ANY($1)", "params": {"1": "{temp-123,AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA}"}}`, uuidA},
		{"uuid", `{"where": "id = $1", "params": {"1": "temp-123"}}`, ""},
		{"uuid", `{"where": "NOT (id = $1)", "params": {"1": "temp-123"}}`, strings.Join([]string{uuidA, uuidB, uuidC}, " ")},
		{"int4", `{"where": "id = ANY($1)", "params": {"1": "{+9,010}"}}`, "10 9"},
		{"int8", `{"order_by": "id"}`, "-1 9 10"},
		{"int8", `{"where": "id IN (9, 10)", "order_by": "id DESC"}`, "10 9"},
	} {
		s, err := selectionOf(t, test.typ, test.body)
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
			continue
		}
		ids := map[string][]string{"text": {"d", "a", "c", "b"}, "uuid": {uuidC, uuidA, uuidB}, "int4": {"10", "9"}, "int8": {"10", "9", "-1"}}[test.typ]
		got := s.Of(slices.Clone(ids))
		if !strings.Contains(test.body, "order_by") {
			slices.Sort(got)
		}
		if diff := cmp.Diff(strings.Fields(test.want), got); diff != "" && len(got)+len(test.want) > 0 {
			t.Errorf("%s (-want +got):\n%s", test.body, diff)
		}
	}
}

func TestSelectionByIDRefuses(t *testing.T) {
	const where = `where: only takes conditions on "id" here: "id" = $1, "id" = ANY($1), and these joined by AND, OR and NOT`
	for body, want := range map[string]string{
		`{"where": "edit = true"}`:                                            where,
		`{"where": "edit"}`:                                                   where,
		`{"where": "id = $1 AND edit", "params": {"1": "a"}}`:                 where,
		`{"where": "id > $1", "params": {"1": "a"}}`:                          where,
		`{"where": "id LIKE $1", "params": {"1": "a%"}}`:                      where,
		`{"where": "upper(id) = $1", "params": {"1": "A"}}`:                   where,
		`{"where": "id = id"}`:                                                where,
		`{"where": "(id = $1) IS NULL", "params": {"1": "a"}}`:                where,
		`{"where": "id <> ALL($1)", "params": {"1": "{a,NULL}"}}`:             "where: compares with NULL",
		`{"where": "NULL"}`:                                                   "where: compares with NULL",
		`{"where": "NOT NULL"}`:                                               "where: compares with NULL",
		`{"where": "NOT (id = 'a' AND NULL)"}`:                                "where: compares with NULL",
		`{"order_by": "edit"}`:                                                `order_by: can only be by "id" here`,
		`{"order_by": "id, edit"}`:                                            `order_by: can only be by "id" here`,
		`{"where": "share = true"}`:                                           `where: unknown column "share"`,
		`{"limit": 5}`:                                                        "order_by: is required where limit or offset is given",
		`{"where": "id = $1", "params": {"1": "a"}, "order_by": "lower(id)"}`: "order_by: is not a list of columns",
	} {
		if _, err := selectionOf(t, "text", body); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", body, err, want)
		}
	}
}

// A person with many permissions may ask with many conditions: the one is not tried on the
// other.
func TestAWhereCostsWhatItsValuesCost(t *testing.T) {
	var where strings.Builder
	where.WriteString("id = 'document-7'")
	for i := range 4000 {
		fmt.Fprintf(&where, " OR id = '%d'", i)
	}
	body, err := json.Marshal(map[string]string{"where": where.String()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := selectionOf(t, "text", string(body))
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 100_000)
	for i := range ids {
		ids[i] = fmt.Sprint("document-", i)
	}
	const most = 2 * time.Second // some milliseconds are usual
	start := time.Now()
	if got := s.Of(ids); !slices.Equal(got, []string{"document-7"}) {
		t.Errorf("selects %v", got)
	}
	if took := time.Since(start); took > most {
		t.Errorf("took %v", took)
	}
}

// Whatever where is taken, it and its NOT divide the rows: no id has both, or neither.
func FuzzSelectionByID(f *testing.F) {
	f.Add(`id = ANY($1) AND NOT id = $2`, "{a,b}", "b")
	f.Add(`id IN ('a', $2) OR id <> $2`, "{}", "é")
	f.Fuzz(func(t *testing.T, where, one, two string) {
		half := func(where string) map[string]bool {
			body, err := json.Marshal(map[string]any{"where": where, "params": map[string]string{"1": one, "2": two}})
			if err != nil {
				return nil
			}
			s, err := selectionOf(t, "text", string(body))
			if err != nil {
				return nil
			}
			got := make(map[string]bool)
			for _, id := range s.Of([]string{"a", "b", "c", one, two}) {
				got[id] = true
			}
			return got
		}
		is, not := half("("+where+")"), half("NOT ("+where+")")
		if is == nil || not == nil {
			return
		}
		for _, id := range []string{"a", "b", "c", one, two} {
			if is[id] == not[id] {
				t.Errorf("%q: %v and %v of %s", id, is[id], not[id], where)
			}
		}
	})
}
