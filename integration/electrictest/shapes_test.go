package electrictest_test

import (
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
)

func TestChunksEndWhereTheyAreFull(t *testing.T) {
	w := newWorld(t, electrictest.Options{ChunkBytes: 300})
	w.exec(t, `insert into notes select i, 'o', 'body' from generate_series(1, 5) as i`)
	r := w.get(t, "table", "notes", "offset", "-1")
	equal(t, "first", r.messages(t), []string{`insert "1"`, `insert "2"`, `insert "3"`})
	equal(t, "offset", r.offset(), "0_0")
	r = w.get(t, "table", "notes", "handle", r.handle(), "offset", r.offset())
	equal(t, "second", r.messages(t), []string{`insert "4"`, `insert "5"`, "snapshot-end"})
	equal(t, "offset", r.offset(), "0_1")
	handle := r.handle()
	w.exec(t, `insert into notes select i, 'o', 'body' from generate_series(6, 9) as i`)
	var seen []string
	for range 4 {
		r = w.get(t, "table", "notes", "handle", handle, "offset", r.offset())
		seen = append(seen, r.messages(t)...)
		if _, ok := r.header["Electric-Up-To-Date"]; ok {
			break
		}
	}
	equal(t, "log", seen, []string{`insert "6"`, `insert "7"`, `insert "8"`, `insert "9"`, "up-to-date"})
}

func TestSnapshotThatFillsItsChunkEndsInAnother(t *testing.T) {
	w := newWorld(t, electrictest.Options{ChunkBytes: 1})
	w.exec(t, `insert into notes values (1, 'o', null)`)
	r := w.get(t, "table", "notes", "offset", "-1")
	equal(t, "first", r.messages(t), []string{`insert "1"`})
	r = w.get(t, "table", "notes", "handle", r.handle(), "offset", "0_0")
	equal(t, "second", r.messages(t), []string{"snapshot-end"})
	r = w.get(t, "table", "notes", "handle", r.handle(), "offset", "0_1")
	equal(t, "third", r.messages(t), []string{"up-to-date"})
}

func TestShapesAreTheSameWhereTheirDefinitionsAre(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	handle := func(query ...string) string {
		r := w.get(t, append([]string{"table", "notes", "offset", "-1"}, query...)...)
		if r.status != 200 {
			t.Fatalf("%v: %d %s", query, r.status, r.body)
		}
		return r.handle()
	}
	plain := handle()
	equal(t, "table with schema", handle("table", "public.notes"), plain)
	equal(t, "quoted table", handle("table", `"public"."notes"`), plain)
	cols := handle("columns", "owner,id")
	equal(t, "order of columns", handle("columns", "id,owner"), cols)
	equal(t, "queryable alone", handle("queryable_columns", "id,owner"), cols)
	where := handle("where", "owner = $1", "params[1]", "a")
	equal(t, "parentheses and params", handle("where", "( owner = $1 )", "params[1]", "a"), where)
	seen := map[string]bool{plain: true, cols: true, where: true}
	for _, q := range [][]string{
		{"where", "owner = $1", "params[1]", "b"}, {"replica", "full"}, {"log", "changes_only"}, {"columns", "id,owner,body"},
	} {
		if h := handle(q...); seen[h] {
			t.Errorf("%v: the handle of another shape", q)
		} else {
			seen[h] = true
		}
	}
	r := w.get(t, "table", "notes", "offset", "0_0", "handle", where)
	equal(t, "another shape's handle", r.status, 409)
	equal(t, "the right handle", r.handle(), plain)
}

func TestTruncateAndDropEndShapes(t *testing.T) {
	for name, end := range map[string]func(*world){
		"truncate": func(w *world) { w.exec(t, `truncate notes`) },
		"drop":     func(w *world) { w.exec(t, `drop table notes; create table notes(id int primary key, owner text)`) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, electrictest.Options{})
			first := w.get(t, "table", "notes", "offset", "now")
			live := []string{"table", "notes", "live", "true", "handle", first.handle(), "offset", "0_inf"}
			r := w.held(t, func() { end(w) }, live...)
			equal(t, "status", r.status, 409)
			equal(t, "handle of the waiting request", r.handle(), "")
			r = w.get(t, live...)
			equal(t, "status", r.status, 409)
			if r.handle() == "" || r.handle() == first.handle() {
				t.Errorf("handle %q after %q", r.handle(), first.handle())
			}
			again := w.get(t, "table", "notes", "offset", "now")
			equal(t, "handle", again.handle(), r.handle())
		})
	}
}
