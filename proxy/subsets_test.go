package proxy_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestASubsetHoldsWhatWasAskedForAndIsPermitted(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	for name, tt := range map[string]struct {
		body string
		want []string
	}{
		"everything":               {`{"where":"true"}`, []string{"d1", "d2"}},
		"no condition":             {`{"params":{}}`, []string{"d1", "d2"}},
		"one row":                  {`{"where":"\"title\" = $1","params":{"1":"two"}}`, []string{"d2"}},
		"a row of another":         {`{"where":"\"id\" = $1","params":{"1":"` + full("d3") + `"}}`, nil},
		"an OR that is honest":     {`{"where":"\"title\" = $1 OR \"title\" = $2","params":{"1":"one","2":"three"}}`, []string{"d1"}},
		"an OR that is not":        {`{"where":"\"title\" = 'one' OR true"}`, []string{"d1", "d2"}},
		"NOT":                      {`{"where":"NOT \"title\" = 'one'"}`, []string{"d2"}},
		"an array":                 {`{"where":"\"title\" = ANY($1)","params":{"1":"{two,three}"}}`, []string{"d2"}},
		"IS NULL":                  {`{"where":"\"project\" IS NULL OR \"title\" LIKE 't%'"}`, []string{"d2"}},
		"scalars that are no text": {`{"where":"\"title\" = $1 OR $2","params":{"1":2,"2":true}}`, []string{"d1", "d2"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := alice.post("/v1/shapes/documents?offset=now", tt.body)
			a.holds(tt.want...)
			if a.header.Get("Electric-Snapshot") != "true" || a.header.Get("Electric-Schema") == "" {
				t.Errorf("headers %v", a.header)
			}
		})
	}
}

func TestASubsetByGETIsAskedForByPOST(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.upstream.forget()
	q := query("subset__where", `"title" = $1 OR "title" = $2`, "subset__params", `{"1":"two","2":"three"}`,
		"subset__order_by", `"title" DESC`, "subset__limit", "5", "subset__offset", "0")
	alice.get("/v1/shapes/documents?" + first.onward() + "&" + q).holds("d2")
	asked := d.upstream.byReaders()
	if len(asked) != 1 || asked[0].method != http.MethodPost {
		t.Fatalf("Electric was asked %+v", asked)
	}
	for key := range asked[0].query {
		if strings.HasPrefix(key, "subset__") || key == "handle" {
			t.Errorf("Electric was sent %s=%s", key, asked[0].query.Get(key))
		}
	}
	if s := asked[0].subset(t); s.OrderBy != `"title" DESC` || s.Limit == nil || *s.Limit != 5 || s.Offset == nil || *s.Offset != 0 {
		t.Errorf("Electric was asked %s", asked[0].body)
	}
}

func TestASubsetIsInOrderAndWithinItsLimit(t *testing.T) {
	d := deploy(t, granting(sees("alice", "d3"), sees("alice", "d4")))
	ids := d.as("alice").post("/v1/shapes/documents", `{"order_by":"\"title\" DESC","limit":2,"offset":1}`).ids()
	equal(t, ids, []string{"d3", "d1"}) // of two, three, one, four
}

func TestTheMetadataOfASubsetIsElectrics(t *testing.T) {
	d := deploy(t)
	txid := d.exec("UPDATE documents SET title = 'changed'")
	s := d.as("alice").post("/v1/shapes/documents", `{"where":"true"}`).subset()
	for _, name := range []string{"xmin", "xmax", "xip_list", "snapshot_mark", "database_lsn"} {
		if _, ok := s.Metadata[name]; !ok {
			t.Errorf("the metadata lacks %s: %v", name, s.Metadata)
		}
	}
	if txid == 0 || len(s.Data) != 2 || *s.Data[0].Value["title"] != "changed" {
		t.Errorf("data %v", inShort(s.Data))
	}
}

// The client takes the handle and the offset of a subset's answer for its log.
func TestASubsetEchoesTheClientsHandleAndOffset(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=now&log=changes_only")
	d.exec("UPDATE documents SET title = 'changed'")
	for _, r := range []string{"handle", "unknown", "out of date"} {
		at := first.onward()
		switch r {
		case "unknown":
			at = "handle=104252396-1795463873759360&offset=24000000_7"
		case "out of date":
			d.revoke(sees("alice", "d1"))
		}
		a := alice.post("/v1/shapes/documents?log=changes_only&"+at, `{"where":"true"}`).is(http.StatusOK)
		if r == "out of date" {
			// What was left out must be in the handle.
			if a.handle() == first.handle() || a.offset() != first.offset() {
				t.Errorf("%s: the answer is at %s, the client at %s", r, a.onward(), at)
			}
			alice.get("/v1/shapes/documents?log=changes_only&"+a.onward()).says("update d2 title=changed", "delete d1", "up-to-date")
			continue
		}
		if a.onward() != at {
			t.Errorf("%s: the answer is at %s, the client at %s", r, a.onward(), at)
		}
	}
	// The next read of the log says what is to be done.
	alice.get("/v1/shapes/documents?log=changes_only&"+first.onward()).says("update d2 title=changed", "delete d1", "up-to-date")
	alice.get("/v1/shapes/documents?log=changes_only&handle=104252396-1795463873759360&offset=24000000_7").mustRefetch()
}

func TestASubsetWithoutAPositionBeginsALog(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	alice.get("/v1/shapes/documents?offset=-1") // so that the feed is there
	d.exec("UPDATE documents SET title = 'before'")
	for _, q := range []string{"?offset=now&log=changes_only", "?log=changes_only", "?offset=-1&log=changes_only"} {
		a := alice.post("/v1/shapes/documents"+q, `{"where":"true"}`).holds("d1", "d2")
		d.exec("UPDATE documents SET title = $1", q)
		alice.get("/v1/shapes/documents?log=changes_only&"+a.onward()).
			says("update d1 title="+q, "update d2 title="+q, "up-to-date")
	}
}

func TestASubsetLacksWhatWasRevokedAMomentAgo(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=now&log=changes_only")
	d.revoke(sees("alice", "d1"))
	d.grant(sees("alice", "d3"))
	alice.post("/v1/shapes/documents?log=changes_only&"+first.onward(), `{"where":"true"}`).holds("d2")
	alice.get("/v1/shapes/documents?log=changes_only&live=true&"+first.onward()).
		says("delete d1", "insert d3", "snapshot-end", "up-to-date")
}

func TestAnEmptyPOSTReadsTheLog(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	for _, body := range []string{"", "{}", " \n", `{"table":"payroll"}`} {
		first := alice.post("/v1/shapes/documents?offset=-1", body).says("insert d1", "insert d2", "snapshot-end", "up-to-date")
		alice.post("/v1/shapes/documents?"+first.onward(), body).says("up-to-date")
	}
}

func TestElectricIsAskedForSubsetsWithoutAHandle(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.upstream.forget()
	alice.post("/v1/shapes/documents?"+first.onward(), `{"where":"true"}`).holds("d1", "d2")
	for _, a := range d.upstream.byReaders() {
		if !a.isSubset() || a.query.Has("handle") || a.query.Get("offset") != "now" || a.query.Has("live") {
			t.Errorf("Electric was asked %s %v", a.method, a.query)
		}
	}
}

func TestASubsetWithoutGrantsIsEmpty(t *testing.T) {
	d := deploy(t)
	d.as("mallory").post("/v1/shapes/documents", `{"where":"true"}`).holds()
}

// Two readings of where one begins: the filter must hold them both.
func TestNoConditionReachesPastTheFilter(t *testing.T) {
	d := deploy(t)
	for _, where := range []string{
		`true OR true`, `"title" IS NOT NULL OR "id" IS NOT NULL`, `NOT false`, `(true) OR (true)`,
		`"title" = 'x' OR "title" = 'three' AND true OR true`, `NOT ("id" = '` + full("d1") + `')`,
		`("title" = 'x' OR true) IS TRUE`, `("title" = 'x' OR true) IS NOT NULL`, `COALESCE("title" = 'x' OR true, true)`,
	} {
		for _, shape := range []string{"documents", "current"} {
			a := d.as("alice").get("/v1/shapes/" + shape + "?" + query("subset__where", where))
			if a.status == http.StatusBadRequest {
				continue // it is not on the list, which is as good
			}
			for _, id := range a.ids() {
				if id != "d1" && id != "d2" {
					t.Errorf("%s of %s holds %s", where, shape, id)
				}
			}
		}
	}
}
