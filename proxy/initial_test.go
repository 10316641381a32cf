package proxy_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestAFirstReadHoldsExactlyThePermittedRows(t *testing.T) {
	d := deploy(t)
	d.as("alice").get("/v1/shapes/documents?offset=-1").
		says("insert d1", "insert d2", "snapshot-end", "up-to-date")
	d.as("bob").get("/v1/shapes/documents?offset=-1").
		says("insert d3", "snapshot-end", "up-to-date")
	d.as("alice").get("/v1/shape?table=documents&offset=-1").holds("d1", "d2")
}

func TestAReaderWithoutGrantsReadsAnEmptyLog(t *testing.T) {
	d := deploy(t)
	first := d.as("mallory").get("/v1/shapes/documents?offset=-1").says("snapshot-end", "up-to-date")
	d.exec("UPDATE documents SET title = 'changed'")
	d.as("mallory").get("/v1/shapes/documents?" + first.onward()).says("up-to-date")
}

func TestARowHoldsTheColumnsOfItsShapeAndNoOthers(t *testing.T) {
	d := deploy(t)
	one, project, title := full("d1"), "p1", "one"
	got := d.as("alice").get("/v1/shapes/documents?offset=-1").messages()[0].Value
	equal(t, got, map[string]*string{"id": &one, "project": &project, "title": &title})
}

func TestSnapshotEndNamesTheTransactionsThatTheSnapshotHasSeen(t *testing.T) {
	d := deploy(t)
	d.exec("UPDATE documents SET title = 'changed' WHERE id = $1", full("d3"))
	metadata := d.as("alice").post("/v1/shapes/documents", `{"where":"true"}`).subset().Metadata
	log := d.as("alice").get("/v1/shapes/documents?offset=-1").messages()
	end := log[len(log)-2].Headers
	if end.Control != "snapshot-end" || end.XIPList == nil ||
		end.XMin != metadata["xmin"] || end.XMax != metadata["xmax"] {
		t.Errorf("snapshot-end %+v of a snapshot with %v", end, metadata)
	}
}

func TestTheHeadersOfAFirstRead(t *testing.T) {
	d := deploy(t)
	a := d.as("alice").get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
	for name, want := range map[string]string{
		"Electric-Handle":        `^[\w-]{100,400}$`,
		"Electric-Offset":        `^[0-9]+_(inf|[0-9]+)$`,
		"Electric-Schema":        `"id":\{"type":"uuid","not_null":true,"pk_index":0\}`,
		"Electric-Up-To-Date":    `^$`,
		"Electric-Has-Data":      `^true$`,
		"Content-Type":           `^application/json; charset=utf-8$`,
		"Cache-Control":          `^private, no-store$`,
		"Vary":                   `^Authorization, Cookie, Origin, Accept-Encoding$`,
		"X-Content-Type-Options": `^nosniff$`,
	} {
		if v := a.header[name]; len(v) != 1 || !regexp.MustCompile(want).MatchString(v[0]) {
			t.Errorf("%s: %q", name, v)
		}
	}
	if strings.Contains(a.header.Get("Electric-Schema"), "secret") {
		t.Errorf("electric-schema has a column that is not the shape's: %s", a.header.Get("Electric-Schema"))
	}
	for _, name := range []string{"Electric-Cursor", "Electric-Snapshot"} {
		if a.header.Get(name) != "" {
			t.Errorf("%s: %s", name, a.header.Get(name))
		}
	}
}

func TestNothingOfElectricsOwnHeadersGetsThrough(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	for name, a := range map[string]*answer{
		"first read": first,
		"catch-up":   alice.get("/v1/shapes/documents?" + first.onward()),
		"subset":     alice.post("/v1/shapes/documents", `{"where":"true"}`),
		"position":   alice.get("/v1/shapes/documents?offset=now&log=changes_only"),
		"whole log":  alice.get("/v1/shapes/board?offset=-1"),
		"refetch":    alice.get("/v1/shapes/documents?handle=1-1&offset=0_0"),
		"refusal":    alice.get("/v1/shapes/documents?offset=x"),
	} {
		if got := a.header.Get("Cache-Control"); got != "private, no-store" {
			t.Errorf("%s: Cache-Control: %s", name, got)
		}
		if got := a.header.Get("Vary"); got != "Authorization, Cookie, Origin, Accept-Encoding" {
			t.Errorf("%s: Vary: %s", name, got)
		}
		for _, h := range []string{"Etag", "Electric-Server", "X-Request-Id", "Surrogate-Control", "Access-Control-Allow-Origin"} {
			if got := a.header.Get(h); got != "" {
				t.Errorf("%s: %s: %s", name, h, got)
			}
		}
	}
}

func TestAChangeBetweenPositionAndSnapshotIsSentOnce(t *testing.T) {
	d := deploy(t)
	d.as("alice").get("/v1/shapes/documents?offset=-1") // so that the feed is there
	d.upstream.failing(func(a asked) error {
		if a.isSubset() { // the position was taken
			d.upstream.back()
			d.exec("UPDATE documents SET title = 'in between' WHERE id = $1", full("d1"))
		}
		return nil
	})
	first := d.as("alice").get("/v1/shapes/documents?offset=-1")
	for _, m := range first.messages() {
		if m.String() == "insert d1" && *m.Value["title"] != "in between" {
			t.Error("the snapshot was taken before the position")
		}
	}
	d.exec("UPDATE documents SET title = 'afterwards' WHERE id = $1", full("d1"))
	d.as("alice").get("/v1/shapes/documents?"+first.onward()).
		says("update d1 title=afterwards", "up-to-date")
	// Another process reads from the handle what the snapshot had.
	d.replica(nil)
	d.as("alice").get("/v1/shapes/documents?"+first.onward()).
		says("update d1 title=afterwards", "up-to-date")
}

func TestThePositionAloneIsWhereTheLogEnds(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	alice.get("/v1/shapes/documents?offset=-1") // so that the feed is there
	d.exec("UPDATE documents SET title = 'before'")
	for _, q := range []string{"offset=now", "offset=now&log=changes_only", "offset=-1&log=changes_only"} {
		first := alice.get("/v1/shapes/documents?" + q).says("up-to-date")
		if !first.upToDate() || first.header.Get("Electric-Schema") == "" {
			t.Errorf("%s: headers %v", q, first.header)
		}
		d.exec("UPDATE documents SET title = $1", q)
		alice.get("/v1/shapes/documents?"+first.onward()+"&log=changes_only").
			says("update d1 title="+q, "update d2 title="+q, "up-to-date")
	}
}

func TestAFirstReadReadsNoMoreOfTheTableThanItIsPermitted(t *testing.T) {
	d := deploy(t)
	d.as("alice").get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
	for _, a := range d.upstream.byReaders() {
		if !a.isSubset() && (a.query.Get("log") != "changes_only" || a.query.Get("offset") == "-1") {
			t.Errorf("Electric was asked for the whole table: %v", a.query)
		}
		if a.isSubset() && !strings.Contains(a.subset(t).Where, `"id" = ANY($1)`) {
			t.Errorf("Electric was asked for a subset without the filter: %s", a.body)
		}
	}
}
