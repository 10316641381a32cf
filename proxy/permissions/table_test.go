package permissions

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

var ids = authz.NewIDs(authz.NewFingerprintKey([]byte("the key of the tests, of no other")))

// grants are sets of ids, one for each permission, as in "d1 d2".
func grants(sets ...string) authz.Grants {
	all := make([]*authz.GrantSet, len(sets))
	for i, s := range sets {
		all[i] = authz.NewGrantSet(ids, slices.Values(strings.Fields(s)))
	}
	return authz.GrantsOf(all...)
}

func tableOf(t testing.TB, columnType string, permissions ...string) *Table {
	t.Helper()
	table, err := TableOf(&schema.Grants{Guarded: schema.Guarded{Name: "actions"}, Permissions: permissions, ColumnType: columnType})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestSchema(t *testing.T) {
	table := tableOf(t, "uuid", "edit", "share")
	const want = `{"edit":{"not_null":true,"type":"bool"},"id":{"not_null":true,"pk_index":0,"type":"uuid"},"share":{"not_null":true,"type":"bool"}}`
	if s := table.Schema(); s.Header != want || !slices.Equal(s.Key, []string{"id"}) {
		t.Errorf("%s\nkey %v", s.Header, s.Key)
	}
	if c := table.ForClients(); c.Name != "actions" || c.Columns["id"].Type != "uuid" || c.Columns["share"].Type != "bool" {
		t.Errorf("%+v", c)
	}
}

// A row is a message as Electric writes those of a table.
func TestRow(t *testing.T) {
	table := tableOf(t, "text", "edit", "share")
	g := grants("d1 a/b", "d1")
	for id, want := range map[string]string{
		"d1":  `{"key":"\"grants\".\"actions\"/\"d1\"","value":{"id":"d1","edit":"true","share":"true"},"headers":{"operation":"insert","relation":["grants","actions"]}}`,
		"a/b": `{"key":"\"grants\".\"actions\"/\"a//b\"","value":{"id":"a/b","edit":"true","share":"false"},"headers":{"operation":"insert","relation":["grants","actions"]}}`,
		"d3":  "",
	} {
		got := string(table.AppendRow(nil, g, id))
		if got != want {
			t.Errorf("%s: %s", id, got)
		}
		if got == "" {
			continue
		}
		m, err := electric.ParseMessage([]byte(got))
		if err != nil || m.Operation != electric.Insert {
			t.Errorf("%s: operation %d: %v", id, m.Operation, err)
		}
	}
}

// SpiceDB has no such ids. If there were one, the message would still be JSON.
func TestARowIsJSONWhateverItsIDIs(t *testing.T) {
	table := tableOf(t, "text", "edit")
	for _, id := range []string{`a"b`, `a\b`, "a\nb", "é", "😀", "\x7f"} {
		g := authz.GrantsOf(authz.NewGrantSet(ids, slices.Values([]string{id})))
		var m struct {
			Value struct{ ID string } `json:"value"`
		}
		if err := json.Unmarshal(table.AppendRow(nil, g, id), &m); err != nil || m.Value.ID != id {
			t.Errorf("%q: %q, %v", id, m.Value.ID, err)
		}
	}
}

// Ids that are no value of the column's type, or not as Postgres spells it, have no row.
func TestIDs(t *testing.T) {
	for columnType, want := range map[string][]string{
		"text": {"0123", "12", "4294967296", "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},
		"uuid": {"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},
		"int4": {"12"},
		"int8": {"12", "4294967296"},
	} {
		table := tableOf(t, columnType, "edit", "share")
		g := grants("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa 12 0123", "12 4294967296 AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA")
		got, leftOut := table.IDs(g)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || leftOut != 5-len(want) {
			t.Errorf("%s: %d left out (-want +got):\n%s", columnType, leftOut, diff)
		}
	}
}

// messages are those of a change, as operation, id and permissions: "update d1 edit".
func messages(t testing.TB, c *Change) (all []string) {
	t.Helper()
	for _, id := range c.IDs() {
		text := c.Append(nil, id)
		if len(text) == 0 {
			continue
		}
		var m struct {
			Value   map[string]string
			Headers struct{ Operation string }
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		line := m.Headers.Operation + " " + m.Value["id"]
		for _, p := range []string{"edit", "share"} {
			if m.Value[p] == "true" {
				line += " " + p
			}
		}
		all = append(all, line)
	}
	return all
}

func TestChange(t *testing.T) {
	none := grants("", "")
	for _, test := range []struct {
		name string
		held []authz.Grants
		now  authz.Grants
		want string
	}{
		{"nothing has changed", []authz.Grants{grants("d1", "d1")}, grants("d1", "d1"), ""},
		{"the first permission inserts", []authz.Grants{none}, grants("d1", ""), "insert d1 edit"},
		{"one more updates", []authz.Grants{grants("d1", "")}, grants("d1", "d1"), "update d1 edit share"},
		{"one less updates", []authz.Grants{grants("d1", "d1")}, grants("", "d1"), "update d1 share"},
		{"the last one deletes", []authz.Grants{grants("d1", "")}, none, "delete d1"},
		{"one for another updates", []authz.Grants{grants("d1", "")}, grants("", "d1"), "update d1 share"},
		{"others stay as they are", []authz.Grants{grants("d1 d2 d3", "d2")}, grants("d1 d3", "d2 d4"), "update d2 share,insert d4 share"},

		{"an insert that may have arrived comes again", []authz.Grants{none, grants("d1", "")}, grants("d1", ""), "insert d1 edit"},
		{"and goes again", []authz.Grants{none, grants("d1", "")}, none, "delete d1"},
		{"a delete that may have arrived is made good", []authz.Grants{grants("d1", ""), none}, grants("d1", ""), "insert d1 edit"},
		{"an update that may have arrived comes again", []authz.Grants{grants("d1", ""), grants("d1", "d1")}, grants("d1", "d1"), "insert d1 edit share"},
		{"what each may have agrees", []authz.Grants{grants("d1", ""), grants("d1", "")}, grants("d1", ""), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := tableOf(t, "text", "edit", "share").NewChange(test.held, test.now)
			if got := strings.Join(messages(t, c), ","); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Integers and uuids have other ids than texts: those have no messages.
func TestAChangeIsOfTheColumnsType(t *testing.T) {
	c := tableOf(t, "int4", "edit", "share").NewChange([]authz.Grants{grants("x", "")}, grants("1 y", ""))
	if got := fmt.Sprint(messages(t, c)); got != "[insert 1 edit]" {
		t.Errorf("got %s", got)
	}
}
