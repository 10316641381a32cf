package proxy_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/schema"
)

// Electric spells the key of one row in two ways where the table has partitions, or a name
// with a . or a /. A client finds its rows by key: whatever takes a row away has to use the
// spelling that the row came under.

const spelledShapes = `
shapes:
  runs:
    table: runs
    columns: [id, created_at, note]
    authorize:
      filter: [{resource: note, permission: view, column: id}]
  odd:
    table: '"s.t"."Odd.Name/2"'
    columns: [id, note]
    authorize:
      filter: [{resource: note, permission: view, column: id}]
  moving:                   # by a column that is not in the key
    table: '"s.t"."Odd.Name/2"'
    columns: [id, note]
    authorize:
      filter: [{resource: project, permission: view, column: note}]
`

const spelledTables = `
CREATE TABLE runs (id int, created_at timestamptz, note text, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at);
CREATE TABLE runs_27 PARTITION OF runs FOR VALUES FROM ('2026-02-27') TO ('2026-02-28');
CREATE TABLE runs_28 PARTITION OF runs FOR VALUES FROM ('2026-02-28') TO ('2026-03-01');
ALTER TABLE runs_27 REPLICA IDENTITY FULL; ALTER TABLE runs_28 REPLICA IDENTITY FULL;
INSERT INTO runs VALUES (1, '2026-02-27T10:00:00Z', 'q1');

CREATE SCHEMA "s.t";
CREATE TABLE "s.t"."Odd.Name/2" (id text PRIMARY KEY, note text);
ALTER TABLE "s.t"."Odd.Name/2" REPLICA IDENTITY FULL;
INSERT INTO "s.t"."Odd.Name/2" VALUES ('1', 'q1');
`

// spelled is a shape whose keys Electric spells in two ways.
type spelled struct {
	shape, key string // of row 1
	insert     string // of row 2
	remove     string // of row 1
	grants     [2]string
	second     string // the key of row 2
}

var allSpelled = []spelled{
	{
		shape: "runs", key: `"public"."runs"/"1"/"2026-02-27 10:00:00+00"`,
		remove: `DELETE FROM runs WHERE id = 1`,
		insert: `INSERT INTO runs VALUES (2, '2026-02-28T10:00:00Z', 'q1')`,
		second: `"public"."runs"/"2"/"2026-02-28 10:00:00+00"`,
		grants: [2]string{"note:1#viewer@user:alice", "note:2#viewer@user:alice"},
	},
	{
		shape: "odd", key: `"s.t"."Odd.Name/2"/"1"`,
		remove: `DELETE FROM "s.t"."Odd.Name/2" WHERE id = '1'`,
		insert: `INSERT INTO "s.t"."Odd.Name/2" VALUES ('2/x', 'q1')`,
		second: `"s.t"."Odd.Name/2"/"2//x"`,
		grants: [2]string{"note:1#viewer@user:alice", "note:2/x#viewer@user:alice"},
	},
	{
		shape: "moving", key: `"s.t"."Odd.Name/2"/"1"`,
		remove: `DELETE FROM "s.t"."Odd.Name/2" WHERE id = '1'`,
		insert: `INSERT INTO "s.t"."Odd.Name/2" VALUES ('2/x', 'q3')`,
		second: `"s.t"."Odd.Name/2"/"2//x"`,
		grants: [2]string{"project:q1#viewer@user:alice", "project:q3#viewer@user:alice"},
	},
}

func deploySpelled(t *testing.T, s spelled) (*deployment, *keyed) {
	t.Helper()
	shapes, err := schema.Parse("shapes.yaml", []byte(spelledShapes))
	if err != nil {
		t.Fatal(err)
	}
	d := deploy(t, configured(func(c *proxy.Config) { c.Shapes = shapes }), granting(s.grants[:]...))
	d.execUnread(spelledTables)
	k := &keyed{t: t, reader: d.as("alice"), path: "/v1/shapes/" + s.shape + "?", keys: make(map[string]bool)}
	return d, k
}

// keyed is a client that keeps the keys of its rows, as real ones do.
type keyed struct {
	t              *testing.T
	reader         reader
	path           string
	handle, offset string
	keys           map[string]bool
}

func (k *keyed) apply(m message) {
	k.t.Helper()
	switch m.Headers.Operation {
	case "insert", "update":
		k.keys[m.Key] = true
	case "delete":
		if !k.keys[m.Key] {
			k.t.Errorf("a delete of %s, of which the client has %v", m.Key, slices.Collect(maps.Keys(k.keys)))
		}
		delete(k.keys, m.Key)
	}
}

func (k *keyed) take(a *answer) {
	k.t.Helper()
	for _, m := range a.messages() {
		k.apply(m)
	}
	k.handle, k.offset = a.handle(), a.offset()
}

func (k *keyed) begin()         { k.t.Helper(); k.take(k.reader.get(k.path + "offset=-1")) }
func (k *keyed) onward() string { return k.path + query("handle", k.handle, "offset", k.offset) }
func (k *keyed) read()          { k.t.Helper(); k.take(k.reader.get(k.onward())) }

func (k *keyed) holds(want ...string) {
	k.t.Helper()
	got := slices.Sorted(maps.Keys(k.keys))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		k.t.Fatalf("the client holds %v, want %v", got, want)
	}
}

func forEachSpelled(t *testing.T, test func(*testing.T, spelled, *deployment, *keyed)) {
	for _, s := range allSpelled {
		t.Run(s.shape, func(t *testing.T) {
			d, k := deploySpelled(t, s)
			test(t, s, d, k)
		})
	}
}

func TestARowOfALongPollIsTakenAwayByItsKey(t *testing.T) {
	forEachSpelled(t, func(t *testing.T, s spelled, d *deployment, k *keyed) {
		k.begin()
		k.holds(s.key)
		poll := k.reader.hold(k.onward() + "&live=true")
		d.waitHeld(1)
		d.execUnread(s.insert)
		k.take(poll.answer())
		k.holds(s.key, s.second)
		d.read()
		poll = k.reader.hold(k.onward() + "&live=true")
		d.waitHeld(1)
		d.revokeUnheard(s.grants[1])
		k.take(poll.answer())
		k.holds(s.key)
	})
}

func TestARowOfAnEventStreamIsTakenAwayByItsKey(t *testing.T) {
	forEachSpelled(t, func(t *testing.T, s spelled, d *deployment, k *keyed) {
		k.begin()
		stream := k.reader.stream(k.onward() + "&" + strings.TrimSuffix(sse, "&"))
		d.waitHeld(1)
		d.execUnread(s.insert)
		var last string
		for _, m := range stream.batch() {
			k.apply(m)
			last = m.Headers.LastSeenLSN
		}
		k.holds(s.key, s.second)
		d.read()
		d.revokeUnheard(s.grants[1])
		for event := range stream.events { // to the delete, or to the stream's end
			if data, ok := strings.CutPrefix(event, "data: "); ok {
				var m message
				if err := json.Unmarshal([]byte(data), &m); err != nil {
					t.Fatal(err)
				}
				if k.apply(m); m.Headers.Control == "up-to-date" {
					last = m.Headers.LastSeenLSN
				}
			}
			if !k.keys[s.second] {
				return
			}
		}
		k.offset = last + "_0"
		k.read()
		k.holds(s.key)
	})
}

func TestARowOfAFirstReadIsTakenAwayByItsKey(t *testing.T) {
	forEachSpelled(t, func(t *testing.T, s spelled, d *deployment, k *keyed) {
		d.execUnread(s.insert)
		k.begin()
		k.holds(s.key, s.second)
		d.revoke(s.grants[1])
		k.read()
		k.holds(s.key)
		d.exec(s.remove) // which the log brings
		k.read()
		k.holds()
	})
}

func TestARowOfASubsetIsTakenAwayByItsKey(t *testing.T) {
	forEachSpelled(t, func(t *testing.T, s spelled, d *deployment, k *keyed) {
		d.execUnread(s.insert)
		at := k.reader.get(k.path + "offset=now&log=changes_only")
		k.take(at)
		sub := k.reader.post(k.path+"log=changes_only&"+at.onward(), `{"where":"true"}`)
		for _, m := range sub.subset().Data {
			k.apply(m)
		}
		k.handle, k.offset = sub.handle(), sub.offset()
		k.holds(s.key, s.second)
		d.revoke(s.grants[1])
		k.take(k.reader.get(k.onward() + "&log=changes_only"))
		k.holds(s.key)
		d.exec(s.remove) // which the log brings
		k.take(k.reader.get(k.onward() + "&log=changes_only"))
		k.holds()
	})
}

// A change of the key is a delete of the one and an insert of the other, in one spelling.
func TestAKeyChangeKeepsTheSpelling(t *testing.T) {
	forEachSpelled(t, func(t *testing.T, s spelled, d *deployment, k *keyed) {
		k.begin()
		if s.shape == "runs" {
			d.exec(`UPDATE runs SET created_at = '2026-02-28T10:00:00Z' WHERE id = 1`)
			k.read()
			k.holds(`"public"."runs"/"1"/"2026-02-28 10:00:00+00"`)
			return
		}
		d.exec(`UPDATE "s.t"."Odd.Name/2" SET id = '2/x' WHERE id = '1'`)
		k.read()
		k.holds(s.second)
	})
}
