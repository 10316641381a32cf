package electrictest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
)

// snapshot is the metadata of a subset, and how many rows it has.
type snapshot struct {
	Metadata struct {
		XMin, XMax  string
		XIPList     []string `json:"xip_list"`
		DatabaseLSN string   `json:"database_lsn"`
	}
	Data []json.RawMessage
}

func (w *world) snapshot(t *testing.T) (s snapshot) {
	t.Helper()
	r := w.do(t, http.MethodPost, `{"where":"true"}`, "table", "notes", "offset", "now", "log", "changes_only")
	if err := json.Unmarshal([]byte(r.body), &s); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return s
}

func (s snapshot) fence() string {
	return fmt.Sprint(s.Metadata.XMin, " ", s.Metadata.XMax, " ", s.Metadata.XIPList)
}

func TestASnapshotNamesTheTransactionsThatAreInProgress(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	first := w.get(t, "table", "notes", "offset", "now", "log", "changes_only")
	before := w.exec(t, `insert into notes values (1, 'o', 'a')`)
	equal(t, "fence", w.snapshot(t).fence(), fmt.Sprint(before+1, " ", before+1, " []"))

	long := w.Begin()
	long.Exec(`insert into notes values (2, 'o', 'late')`)
	gone := w.Begin()
	gone.Exec(`insert into notes values (1, 'o', 'never')`)
	equal(t, "fence without a later one", w.snapshot(t).fence(), fmt.Sprint(before+1, " ", before+1, " []"))
	after := w.exec(t, `insert into notes values (4, 'o', 'b')`)

	s := w.snapshot(t)
	equal(t, "fence", s.fence(), fmt.Sprint(long.ID(), " ", after+1, " [", long.ID(), " ", gone.ID(), "]"))
	equal(t, "rows", len(s.Data), 2)

	if err := gone.Commit(); err == nil {
		t.Error("a second row of one key")
	}
	if err := long.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := long.Commit(); err == nil {
		t.Error("a transaction commits twice")
	}
	s = w.snapshot(t)
	equal(t, "fence", s.fence(), fmt.Sprint(after+1, " ", after+1, " []"))
	equal(t, "rows", len(s.Data), 3)

	// The log has them in the order in which they committed.
	log := w.get(t, "table", "notes", "offset", first.offset(), "handle", first.handle(), "log", "changes_only")
	equal(t, "log", log.messages(t), []string{`insert "1"`, `insert "4"`, `insert "2"`, "up-to-date"})
	if !strings.Contains(log.body, fmt.Sprintf(`"txids":[%d]`, long.ID())) {
		t.Errorf("the log does not name %d: %s", long.ID(), log.body)
	}
}

func TestAnOpenTransactionThatFailsChangesNothing(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	tx := w.Begin()
	tx.Exec(`insert into notes values (1, 'o', 'a')`)
	tx.Exec(`insert into notes values (1, 'o', 'again')`)
	if err := tx.Commit(); err == nil {
		t.Error("two rows of one key")
	}
	equal(t, "rows", len(w.snapshot(t).Data), 0)
	equal(t, "fence", w.snapshot(t).fence(), fmt.Sprint(tx.ID()+1, " ", tx.ID()+1, " []"))
}

func TestUnpublishedWritesMoveTheDatabaseAndNotTheLog(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	log := func() string { return w.get(t, "table", "notes", "offset", "now").body }
	before, snapshot := log(), w.snapshot(t).Metadata.DatabaseLSN
	w.WriteUnpublished()
	equal(t, "global_last_seen_lsn", log(), before)
	if now := w.snapshot(t).Metadata.DatabaseLSN; now <= snapshot {
		t.Errorf("database_lsn %s after %s", now, snapshot)
	}
	w.exec(t, `insert into notes values (1, 'o', 'a')`)
	if log() == before {
		t.Error("a published write does not move global_last_seen_lsn")
	}
}

// front is a second way to the world's server.
func (w *world) front(t *testing.T) (*electrictest.Front, *world) {
	t.Helper()
	f := w.NewFront()
	web := httptest.NewServer(f)
	t.Cleanup(web.Close)
	return f, &world{Server: w.Server, url: web.URL + "/v1/shape", client: w.client}
}

func TestTwoFrontsLagByThemselves(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	f, late := w.front(t)
	begin := w.get(t, "table", "notes", "offset", "now", "log", "changes_only")
	read := func(w *world) []string {
		t.Helper()
		return w.get(t, "table", "notes", "offset", begin.offset(), "handle", begin.handle(), "log", "changes_only").messages(t)
	}
	f.FallBehind()
	w.exec(t, `insert into notes values (1, 'o', 'a')`)
	equal(t, "in time", read(w), []string{`insert "1"`, "up-to-date"})
	equal(t, "late", read(late), []string{"up-to-date"})
	equal(t, "a late one's snapshot", len(late.snapshot(t).Data), 1)
	if end, _ := f.End(begin.handle()); end != begin.offset() {
		t.Errorf("the late log ends at %s", end)
	}

	w.FallBehind() // now the other one
	w.exec(t, `insert into notes values (2, 'o', 'b')`)
	r := late.held(t, f.CatchUp, "table", "notes", "offset", begin.offset(), "handle", begin.handle(), "log", "changes_only", "live", "true")
	equal(t, "caught up", r.messages(t), []string{`insert "1"`, `insert "2"`, "up-to-date"})
	equal(t, "behind", read(w), []string{`insert "1"`, "up-to-date"})
	w.CatchUp()
	equal(t, "caught up", read(w), []string{`insert "1"`, `insert "2"`, "up-to-date"})
}

func TestATruncateLagsToo(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	f, late := w.front(t)
	begin := w.get(t, "table", "notes", "offset", "now", "log", "changes_only")
	status := func(w *world) int {
		return w.get(t, "table", "notes", "offset", begin.offset(), "handle", begin.handle(), "log", "changes_only").status
	}
	f.FallBehind()
	w.exec(t, `truncate notes`)
	equal(t, "in time", status(w), http.StatusConflict)
	equal(t, "late", status(late), http.StatusOK)
	f.CatchUp()
	equal(t, "caught up", status(late), http.StatusConflict)
}

func TestARowOfAPartitionHasTwoKeys(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `create table "r.s"(id int, place text, primary key(id, place)) partition by list (place);
		create table "r.s/a" partition of "r.s" for values in ('a', 'b');
		create table rest partition of "r.s" default;
		insert into "r.s" values (1, 'a'), (2, 'x')`)
	first := w.get(t, "table", `"r.s"`, "offset", "-1")
	for _, key := range []string{`"\"public\".\"r.s\"/\"1\"/\"a\""`, `"\"public\".\"r.s\"/\"2\"/\"x\""`} {
		if !strings.Contains(first.body, key) {
			t.Errorf("a snapshot without %s: %s", key, first.body)
		}
	}
	w.exec(t, `delete from "r.s" where id = 1; update "r.s" set place = 'y' where id = 2`)
	log := w.get(t, "table", `"r.s"`, "offset", "0_inf", "handle", first.handle())
	for _, key := range []string{`"key":"\"public\".\"r..s//a\"/\"1\"/\"a\""`, `"key_change_to":"\"public\".\"rest\"/\"2\"/\"y\""`} {
		if !strings.Contains(log.body, key) {
			t.Errorf("a log without %s: %s", key, log.body)
		}
	}
	if _, err := w.Exec(`create table t(id int primary key) partition by range (id); insert into t values (1)`); err == nil {
		t.Error("a row without a partition")
	}
}
