package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

func grantsOf(ids ...string) *authz.GrantSet {
	return authz.NewGrantSet(authz.NewIDs(authz.NewFingerprintKey(testSecret)), slices.Values(ids))
}

func seeing(column string, ids ...string) visibility {
	return visibility{columns: []columnGrants{{column, grantsOf(ids...)}}}
}

var testKeys = keyReader{schema: "public", table: "t", key: []string{"id"}}

// message returns a message as a feed would hold it.
func message(t *testing.T, raw string) *electric.Message {
	t.Helper()
	r := electric.NewMessageReader(io.NopCloser(strings.NewReader("[" + raw + "]")))
	m, err := r.Next()
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return m
}

func change(operation, id, project, old string) string {
	m := fmt.Sprintf(`{"key":"\"public\".\"t\"/%q","value":{"id":%q,"project":%s},"headers":{"operation":%q,"lsn":"9","txids":[4]}`,
		id, id, project, operation)
	m = strings.Replace(m, `/"`+id+`"`, `/\"`+id+`\"`, 1)
	if old != "" {
		m += `,"old_value":` + old
	}
	return m + "}"
}

func TestWhatAReaderSeesOfAChange(t *testing.T) {
	tests := []struct {
		name string
		view visibility
		raw  string
		want string // the operation that the reader sees; empty: nothing
	}{
		{"a row of its own", seeing("id", "1"), change("insert", "1", `"p"`, ""), "insert"},
		{"another's row", seeing("id", "1"), change("insert", "2", `"p"`, ""), ""},
		{"nothing is permitted", seeing("id"), change("insert", "1", `"p"`, ""), ""},
		{"every row is", visibility{all: true}, change("insert", "1", `"p"`, ""), "insert"},
		{"no filter at all", visibility{}, change("insert", "1", `"p"`, ""), ""},
		{"NULL is never permitted", seeing("project", "null", ""), change("insert", "1", `null`, ""), ""},
		{"an untold column is not", seeing("other", "", "1"), change("insert", "1", `"p"`, ""), ""},
		{"an update of its own row", seeing("id", "1"), change("update", "1", `"q"`, ""), "update"},
		{"an update of another's", seeing("id", "1"), change("update", "2", `"q"`, ""), ""},
		{"a row moves in", seeing("project", "p2"), change("update", "1", `"p2"`, `{"project":"p1"}`), "insert"},
		{"a row moves in from NULL", seeing("project", "p2"), change("update", "1", `"p2"`, `{"project":null}`), "insert"},
		{"a row moves out", seeing("project", "p1"), change("update", "1", `"p2"`, `{"project":"p1"}`), "delete"},
		{"a row moves out to NULL", seeing("project", "p1"), change("update", "1", `null`, `{"project":"p1"}`), "delete"},
		{"a row moves within", seeing("project", "p1", "p2"), change("update", "1", `"p2"`, `{"project":"p1"}`), "update"},
		{"a row moves elsewhere", seeing("project", "p9"), change("update", "1", `"p2"`, `{"project":"p1"}`), ""},
		{"a delete of its own row", seeing("id", "1"), change("delete", "1", `"p"`, ""), "delete"},
		{"a delete of another's", seeing("id", "1"), change("delete", "2", `"p"`, ""), ""},
		{"either filter will do", visibility{columns: []columnGrants{{"id", grantsOf("9")}, {"project", grantsOf("p")}}},
			change("insert", "1", `"p"`, ""), "insert"},
		{"moving from one filter to the other is an update",
			visibility{columns: []columnGrants{{"id", grantsOf("1")}, {"project", grantsOf("p1")}}},
			change("update", "1", `"p2"`, `{"project":"p1"}`), "update"},
		{"ids are not folded", seeing("id", "A"), change("insert", "a", `"p"`, ""), ""},
		{"control messages are everybody's", seeing("id"), `{"headers":{"control":"up-to-date"}}`, "control"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			through := tt.view.steady()
			got, visible, err := through.apply(nil, message(t, tt.raw), testKeys)
			if err != nil {
				t.Fatal(err)
			}
			if visible != (tt.want != "") || visible != (len(got) > 0) {
				t.Fatalf("visible %v: %s", visible, got)
			}
			if !visible || tt.want == "control" {
				return
			}
			var m struct {
				Headers  struct{ Operation string }
				OldValue map[string]any `json:"old_value"`
				Value    map[string]any
			}
			if err := json.Unmarshal(got, &m); err != nil {
				t.Fatalf("%s: %v", got, err)
			}
			if m.Headers.Operation != tt.want {
				t.Errorf("operation %s, want %s", m.Headers.Operation, tt.want)
			}
			if tt.want != "update" && m.OldValue != nil {
				t.Errorf("an %s tells old values: %s", tt.want, got)
			}
		})
	}
}

func TestTheNameOfARowThatIsNotAllowedGoes(t *testing.T) {
	const moved = `{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1"},"headers":{"operation":"delete","key_change_to":"\"public\".\"t\"/\"2\""}}`
	for _, tt := range []struct {
		name string
		view visibility
		want bool // the header stays
	}{
		{"both rows are allowed", seeing("id", "1", "2"), true},
		{"the other one is not", seeing("id", "1"), false},
		{"every row is", visibility{all: true}, true},
	} {
		through := tt.view.steady()
		got, visible, err := through.apply(nil, message(t, moved), testKeys)
		if err != nil || !visible {
			t.Fatalf("%s: %v %v", tt.name, visible, err)
		}
		if stays := strings.Contains(string(got), "key_change"); stays != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	// Where the filter's column is not in the key, the key does not tell.
	const full = `{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1","project":"p"},"headers":{"operation":"delete","key_change_to":"\"public\".\"t\"/\"2\""}}`
	view := seeing("project", "p")
	through := view.steady()
	if got, _, _ := through.apply(nil, message(t, full), testKeys); strings.Contains(string(got), "key_change") {
		t.Errorf("a row that may not be allowed is named: %s", got)
	}
}

// FuzzVisibility holds the filter to its promise for whatever Electric may send:
// the message is refused, or withheld, or it names no row that is not allowed.
func FuzzVisibility(f *testing.F) {
	f.Add(change("insert", "1", `"p"`, ""))
	f.Add(change("update", "1", `"p2"`, `{"project":"p1"}`))
	f.Add(change("delete", "2", `null`, ""))
	f.Add(`{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1"},"headers":{"operation":"delete","key_change_to":"\"public\".\"t\"/\"2\""}}`)
	f.Fuzz(func(t *testing.T, raw string) {
		r := electric.NewMessageReader(io.NopCloser(strings.NewReader("[" + raw + "]")))
		m, err := r.Next()
		if err != nil {
			return
		}
		view := seeing("id", "1", "x/y")
		through := view.steady()
		got, visible, err := through.apply(nil, m, testKeys)
		if err != nil || !visible || m.Operation == electric.Control {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("not JSON: %s", got)
		}
		var out struct {
			Value   map[string]any
			Headers map[string]any
		}
		if err := json.Unmarshal(got, &out); err != nil {
			return // a value that is no object of text is Electric's own affair
		}
		if id := out.Value["id"]; id != "1" && id != "x/y" {
			t.Errorf("a row of id %v went out: %s", id, got)
		}
		for _, name := range []string{"key_change_to", "key_change_from"} {
			other, ok := out.Headers[name].(string)
			if ok && other != `"public"."t"/"1"` && other != `"public"."t"/"x//y"` {
				t.Errorf("another row is named: %s", got)
			}
		}
	})
}
