package backend

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

// standIn is a world with the stand-in's rows, for what does not depend on their kind.
func standIn(t *testing.T) *world {
	t.Helper()
	tables := electrictest.New(electrictest.Options{})
	t.Cleanup(tables.Close)
	if _, err := tables.Exec(demo.SQL); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(tables)
	t.Cleanup(upstream.Close)
	return newWorld(t, NewStandin(tables), func(client *spicedb.Client) Explainer {
		shapes, err := schema.Parse("shapes.yaml", []byte(demo.Shapes))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := electric.NewClient(electric.Config{URL: upstream.URL})
		if err != nil {
			t.Fatal(err)
		}
		return gateway.NewExplainer(shapes, client, rows)
	})
}

// Each request, and who may send it.
func TestWhoMayDoWhat(t *testing.T) {
	move := map[string]string{"project_id": "borealis"}
	text := map[string]string{"title": "Edited", "body": ""}
	for _, tt := range []struct {
		name, method, path string
		body               any
		may                []string
	}{
		{"add to a project", http.MethodPut, path(fresh1), newDocument("borealis"), []string{"bob", "carol"}},
		{"edit", http.MethodPatch, path(pitch), text, []string{"alice", "carol"}},
		{"edit what one is banned from", http.MethodPatch, path(review), text, []string{"carol"}},
		{"edit what is shared to read", http.MethodPatch, path(plan), text, []string{"bob", "carol"}},
		{"edit what is not there", http.MethodPatch, path(fresh1), text, nil},
		{"share what one leads", http.MethodPut, path(pitch) + "/viewers/user:bob", nil, []string{"alice", "carol"}},
		{"share with a group", http.MethodPut, path(pitch) + "/viewers/group:engineering", nil, []string{"alice", "carol"}},
		{"share what one only sees", http.MethodPut, path(charter) + "/viewers/user:bob", nil, []string{"carol"}},
		{"let somebody edit", http.MethodPut, path(pitch) + "/editors/user:bob", nil, []string{"alice", "carol"}},
		{"let nobody else edit", http.MethodDelete, path(pitch) + "/editors/user:bob", nil, []string{"alice", "carol"}},
		{"unshare", http.MethodDelete, path(pitch) + "/viewers/user:bob", nil, []string{"alice", "carol"}},
		{"share what is not there", http.MethodPut, path(fresh1) + "/viewers/user:bob", nil, nil},
		{"ban", http.MethodPut, path(pitch) + "/banned/bob", nil, []string{"alice", "carol"}},
		{"lift a ban", http.MethodDelete, path(review) + "/banned/bob", nil, []string{"carol"}},
		{"see whom it is shared with", http.MethodGet, path(pitch) + "/access", nil, []string{"alice", "carol"}},
		{"move between two projects, of which one is led", http.MethodPost, path(pitch) + "/move", move, []string{"carol"}},
		{"add to a group", http.MethodPut, "/demo/groups/engineering/members/bob", nil, []string{"carol"}},
		{"remove from a group", http.MethodDelete, "/demo/groups/engineering/members/alice", nil, []string{"carol"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, person := range []string{"mallory", "bob", "alice", "carol"} {
				w := standIn(t)
				before := w.of(pitch)
				a := w.as(person, tt.method, tt.path, tt.body)
				may := slices.Contains(tt.may, person)
				if (a.status == http.StatusOK) != may || !may && a.status != http.StatusForbidden {
					t.Errorf("%s: %d %s", person, a.status, a.body)
				}
				if !may && !slices.Equal(before, w.of(pitch)) {
					t.Errorf("%s: refused, and written", person)
				}
			}
		})
	}
}

func TestSharingIsSeenAndTakenBack(t *testing.T) {
	w := standIn(t)
	a := w.as("alice", http.MethodPut, path(pitch)+"/viewers/user:bob", nil).is(http.StatusOK)
	if !strings.Contains(a.body, `"written":["document:`+pitch+`#viewer@user:bob"]`) || a.field("zed_token") == nil {
		t.Errorf("%s", a.body)
	}
	if !w.mayView("bob", pitch) {
		t.Error("not shared")
	}
	access := w.as("alice", http.MethodGet, path(pitch)+"/access", nil).is(http.StatusOK)
	if !strings.Contains(access.body, "user:bob") {
		t.Errorf("%s", access.body)
	}
	w.as("alice", http.MethodPut, path(pitch)+"/banned/bob", nil).is(http.StatusOK)
	if w.mayView("bob", pitch) {
		t.Error("not banned")
	}
	w.as("alice", http.MethodDelete, path(pitch)+"/banned/bob", nil).is(http.StatusOK)
	w.as("alice", http.MethodDelete, path(pitch)+"/viewers/user:bob", nil).is(http.StatusOK)
	if w.mayView("bob", pitch) {
		t.Error("not taken back")
	}
}

// Who is let edit also reads; who is let read does not edit.
func TestSharingToEdit(t *testing.T) {
	w := standIn(t)
	text := map[string]string{"title": "By Bob"}
	w.as("alice", http.MethodPut, path(pitch)+"/viewers/user:bob", nil).is(http.StatusOK)
	w.as("bob", http.MethodPatch, path(pitch), text).is(http.StatusForbidden)
	w.as("alice", http.MethodDelete, path(pitch)+"/viewers/user:bob", nil).is(http.StatusOK)
	w.as("alice", http.MethodPut, path(pitch)+"/editors/user:bob", nil).is(http.StatusOK)
	if !w.mayView("bob", pitch) {
		t.Error("who edits does not read")
	}
	w.as("bob", http.MethodPatch, path(pitch), text).is(http.StatusOK)
	access := w.as("alice", http.MethodGet, path(pitch)+"/access", nil).is(http.StatusOK)
	if !strings.Contains(access.body, `"editors":[{"who":"user:bob"}],"viewers":[]`) {
		t.Errorf("%s", access.body)
	}
	w.as("alice", http.MethodDelete, path(pitch)+"/editors/user:bob", nil).is(http.StatusOK)
	w.as("bob", http.MethodPatch, path(pitch), text).is(http.StatusForbidden)
}

// The document moves away after the check, and before the write.
func TestADocumentThatMovesAwayIsNotShared(t *testing.T) {
	w := standIn(t)
	w.relationships.Relationships = &moving{w.client, func() {
		w.check(w.spice.Delete(t.Context(), "document:"+pitch+"#project@project:comet"))
		w.check(w.spice.Touch(t.Context(), "document:"+pitch+"#project@project:atlas"))
	}}
	w.as("alice", http.MethodPut, path(pitch)+"/viewers/user:bob", nil).is(http.StatusConflict)
	if w.mayView("bob", pitch) {
		t.Error("shared")
	}
}

func TestAGroupIsJoinedAndLeft(t *testing.T) {
	w := standIn(t)
	w.as("carol", http.MethodPut, "/demo/groups/engineering/members/bob", nil).is(http.StatusOK)
	if !w.mayView("bob", charter) {
		t.Error("not joined")
	}
	me := w.as("carol", http.MethodGet, "/demo/me", nil).is(http.StatusOK)
	if !strings.Contains(me.body, `"engineering":["alice","bob"]`) {
		t.Errorf("%s", me.body)
	}
	w.as("carol", http.MethodDelete, "/demo/groups/engineering/members/bob", nil).is(http.StatusOK)
	if w.mayView("bob", charter) {
		t.Error("not left")
	}
}

func TestMeSaysWhatAPersonMayDo(t *testing.T) {
	w := standIn(t)
	in := func(id, name string, manages bool) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"manages":%t}`, id, name, manages)
	}
	const groups = `{"engineering":["alice"],"everybody":["bob"]}`
	for person, want := range map[string]string{
		"alice": `{"person":"alice","administers":false,"projects":[` + in("atlas", "Atlas", false) + `,` + in("comet", "Comet", true) + `],"groups":` + groups + `}`,
		"bob":   `{"person":"bob","administers":false,"projects":[` + in("borealis", "Borealis", false) + `],"groups":{}}`,
		"carol": `{"person":"carol","administers":true,"projects":[` + in("atlas", "Atlas", true) + `,` + in("borealis", "Borealis", true) + `,` + in("comet", "Comet", true) + `],"groups":` + groups + `}`,
	} {
		if a := w.as(person, http.MethodGet, "/demo/me", nil).is(http.StatusOK); strings.TrimSpace(a.body) != want {
			t.Errorf("%s: %s", person, a.body)
		}
	}
}

func TestEditingChangesTheRow(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		a := w.as("alice", http.MethodPatch, path(pitch), map[string]string{"title": " Edited ", "body": "Anew."}).is(http.StatusOK)
		d, err := w.rows.Document(t.Context(), pitch)
		if err != nil || d.Title != "Edited" || d.Body != "Anew." || a.field("txid") == nil {
			t.Errorf("%+v, %v, %s", d, err, a.body)
		}
		w.rows.edit = errDown
		w.as("alice", http.MethodPatch, path(pitch), map[string]string{"title": "Lost"}).is(http.StatusInternalServerError)
	})
}

func TestWhatIsRefused(t *testing.T) {
	w := standIn(t)
	long := strings.Repeat("x", maxTitle+1)
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
	}{
		{http.MethodPut, path("d1"), newDocument("comet"), http.StatusBadRequest},
		{http.MethodPut, path(strings.ToUpper(fresh1)), newDocument("comet"), http.StatusBadRequest},
		{http.MethodPut, path(fresh1), newDocument("nowhere"), http.StatusBadRequest},
		{http.MethodPut, path(fresh1), map[string]string{"project_id": "comet", "title": "  "}, http.StatusBadRequest},
		{http.MethodPut, path(fresh1), map[string]string{"project_id": "comet", "title": long}, http.StatusBadRequest},
		{http.MethodPut, path(fresh1), map[string]string{"project_id": "comet", "title": "a\x00b"}, http.StatusBadRequest},
		{http.MethodPut, path(fresh1), map[string]string{"project_id": "comet", "title": "a", "archived": "yes"}, http.StatusBadRequest},
		{http.MethodPut, path(pitch) + "/viewers/user:*", nil, http.StatusBadRequest},
		{http.MethodPut, path(pitch) + "/viewers/user:nobody", nil, http.StatusBadRequest},
		{http.MethodPut, path(pitch) + "/viewers/group:nobodys", nil, http.StatusBadRequest},
		{http.MethodPut, path(pitch) + "/viewers/project:comet", nil, http.StatusBadRequest},
		{http.MethodPut, path(pitch) + "/editors/user:*", nil, http.StatusBadRequest},
		{http.MethodPut, "/demo/groups/nobodys/members/bob", nil, http.StatusBadRequest},
		{http.MethodPost, "/demo/token", map[string]string{"person": "nobody"}, http.StatusBadRequest},
		{http.MethodGet, "/demo/nothing", nil, http.StatusNotFound},
	} {
		if a := w.as("carol", tt.method, tt.path, tt.body); a.status != tt.status {
			t.Errorf("%s %s %v: %d %s", tt.method, tt.path, tt.body, a.status, a.body)
		}
	}
}

func TestSpiceDBAwayIsUnavailable(t *testing.T) {
	w := standIn(t)
	token := "Bearer " + w.token("alice")
	w.spice.Pause()
	w.send(token, http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusServiceUnavailable)
	if _, err := w.rows.Document(t.Context(), fresh1); err == nil {
		t.Error("a row of somebody who could not be checked")
	}
	w.check(w.spice.Resume())
	// The connection comes back by itself, and not at once.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		a := w.send(token, http.MethodPut, path(fresh1), newDocument("comet"))
		if a.status != http.StatusServiceUnavailable || time.Since(began) > 20*time.Second {
			a.is(http.StatusOK)
			return
		}
	}
}

func TestWhoSendsARequest(t *testing.T) {
	w := standIn(t)
	made, _, err := w.sessions.Create(t.Context(), identity.Identity{
		Subject: authz.Subject{ObjectRef: user("alice")}, Expires: time.Now().Add(time.Hour),
	}, "")
	w.check(err)
	for _, tt := range []struct {
		name, authorization, cookie string
		status                      int
	}{
		{"a JWT", "Bearer " + w.token("alice"), "", http.StatusOK},
		{"a session's token", "Bearer " + made, "", http.StatusOK},
		{"a session's cookie", "", made, http.StatusOK},
		{"nobody", "", "", http.StatusUnauthorized},
		{"another scheme", "Basic x", made, http.StatusUnauthorized},
		{"no token", "Bearer nonsense", "", http.StatusUnauthorized},
		{"a session that is not there", "", made + "x", http.StatusUnauthorized},
	} {
		var headers []string
		if tt.cookie != "" {
			headers = []string{"Cookie", "shapegate_session=" + tt.cookie}
		}
		if a := w.send(tt.authorization, http.MethodGet, "/demo/me", nil, headers...); a.status != tt.status {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
	}
	// The cookie comes with what another page sends, too.
	w.send("", http.MethodPut, path(pitch)+"/viewers/user:bob", nil,
		"Cookie", "shapegate_session="+made, "Sec-Fetch-Site", "same-site").is(http.StatusForbidden)
	if w.mayView("bob", pitch) {
		t.Error("shared by another page")
	}
}

func TestPeopleAreListed(t *testing.T) {
	a := standIn(t).send("", http.MethodGet, "/demo/people", nil).is(http.StatusOK)
	if !strings.Contains(a.body, `{"id":"alice","about":"an engineer; leads Comet"}`) {
		t.Errorf("%s", a.body)
	}
}

// What a person is told is what they get, and by which path.
func TestWhy(t *testing.T) {
	const (
		incident = "d0c00000-0000-4000-8000-000000000006"
		contract = "d0c00000-0000-4000-8000-000000000008"
		draft    = "d0c00000-0000-4000-8000-000000000003"
	)
	w := standIn(t)
	for _, tt := range []struct {
		person, id string
		visible    bool
		reason     string
		path       string
	}{
		{"bob", plan, true, "filter", `"project:borealis","viewer","user:bob"`},
		{"alice", charter, true, "filter", `"group:engineering#member","member","user:alice"`},
		{"alice", incident, true, "filter", `"user:alice[cleared]"`},
		{"carol", review, true, "unrestricted", `"workspace:main","administrator","user:carol"`},
		{"bob", review, false, "excluded", `"banned","user:bob"`},
		{"bob", contract, false, "caveat_false", `"user:bob[cleared]"`},
		{"bob", charter, false, "not_granted", `"document:` + charter + `#viewer"`},
		{"carol", draft, false, "where_not_met", `"paths":[]`},
		{"carol", fresh1, false, "no_row", `"paths":[]`},
		{"mallory", plan, false, "gate_denied", `"tried":["group:`},
	} {
		a := w.as(tt.person, http.MethodGet, path(tt.id)+"/why", nil).is(http.StatusOK)
		if text := a.field("text").(string); !strings.Contains(text, "document:"+tt.id+"#edit ") || !strings.Contains(text, "document:"+tt.id+"#share ") {
			t.Errorf("%s, %s: not what may be done with it: %s", tt.person, tt.id, text)
		}
		if a.field("visible") != tt.visible || a.field("reason") != tt.reason || !strings.Contains(a.body, tt.path) {
			t.Errorf("%s, %s: %s", tt.person, tt.id, a.body)
		}
	}
	w.as("bob", http.MethodGet, path("nonsense")+"/why", nil).is(http.StatusBadRequest)
	w.send("", http.MethodGet, path(plan)+"/why", nil).is(http.StatusUnauthorized)
}
