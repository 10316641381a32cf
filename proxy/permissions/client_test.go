package permissions

import (
	"encoding/json"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/shapegate/shapegate/authz"
)

// client is what a client of Electric's protocol holds: rows by their ids.
type client map[string]map[string]string

func (c client) apply(t *rapid.T, message []byte) {
	var m struct {
		Value   map[string]string
		Headers struct{ Operation string }
	}
	if err := json.Unmarshal(message, &m); err != nil {
		t.Fatalf("%s: %v", message, err)
	}
	switch id := m.Value["id"]; m.Headers.Operation {
	case "insert":
		c[id] = m.Value
	case "update":
		if c[id] == nil {
			t.Fatalf("an update of a row that the client does not have: %s", message)
		}
		maps.Copy(c[id], m.Value)
	case "delete":
		delete(c, id)
	}
}

// Whichever answers arrive, the client ends with exactly the rows of its grants once one
// does. An answer is cut at any message, or arrives and is not acknowledged.
func TestClientConverges(t *testing.T) {
	table := tableOf(t, "text", "edit", "share", "delete")
	rapid.Check(t, func(t *rapid.T) {
		draw := func() authz.Grants {
			sets := make([]string, 3)
			for i := range sets {
				for _, id := range []string{"d1", "d2", "d3", "d4"} {
					if rapid.Bool().Draw(t, "held") {
						sets[i] += " " + id
					}
				}
			}
			return grants(sets...)
		}
		c := client{}
		served := draw()
		first, _ := table.IDs(served)
		for _, id := range first {
			c.apply(t, table.AppendRow(nil, served, id))
		}
		held := []authz.Grants{served}
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			now := draw()
			change := table.NewChange(held, now)
			acknowledged := rapid.Bool().Draw(t, "acknowledged")
			cut := len(change.IDs())
			if !acknowledged {
				cut = rapid.IntRange(0, cut).Draw(t, "cut")
			}
			applied := client{}
			for id, row := range c {
				applied[id] = maps.Clone(row)
			}
			for _, id := range change.IDs()[:cut] {
				if m := change.Append(nil, id); len(m) > 0 {
					applied.apply(t, m)
				}
			}
			// A client applies a batch when its up-to-date message comes.
			if cut == len(change.IDs()) {
				c = applied
			}
			if held = append(held, now); acknowledged {
				held = []authz.Grants{now}
				check(t, table, c, now)
			}
		}
		now := held[len(held)-1]
		change := table.NewChange(held, now)
		for _, id := range change.IDs() {
			if m := change.Append(nil, id); len(m) > 0 {
				c.apply(t, m)
			}
		}
		check(t, table, c, now)
	})
}

func check(t *rapid.T, table *Table, c client, now authz.Grants) {
	want := client{}
	ids, _ := table.IDs(now)
	for _, id := range ids {
		want.apply(t, table.AppendRow(nil, now, id))
	}
	if !maps.EqualFunc(want, c, maps.Equal[map[string]string]) {
		t.Fatalf("the client has %v, and may see %v", c, want)
	}
}
