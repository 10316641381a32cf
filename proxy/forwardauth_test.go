package proxy_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/integration/openapitest"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/schema"
)

// forwardYAML are shapes that a server in front may have Electric answer, and below them
// shapes that it may not.
const forwardYAML = `
shapes:
  board:
    table: documents
    columns: [id, title]
    where: "archived = false OR pinned = true"
    first_read: stored
    authorize:
      gate: {resource: "workspace:main", permission: sync}
  project_tasks:
    table: tasks
    columns: [id, project, title]
    params: {project: {}}
    where: "project = $project"
    first_read: stored
    authorize:
      gate: {resource: "project:$project", permission: view}
  whole:
    table: documents
    columns: [id, title]
    first_read: stored
    narrowing: refused
    authorize:
      gate: {resource: "workspace:main", permission: sync}

  filtered:
    table: documents
    columns: [id, title]
    authorize:
      gate: {resource: "workspace:main", permission: sync}
      filter: [{resource: document, permission: view, column: id}]
  snapshot:
    table: documents
    columns: [id, title]
    authorize:
      gate: {resource: "workspace:main", permission: sync}
  strict:
    table: documents
    columns: [id, title]
    first_read: stored
    consistency: strict
    authorize:
      gate: {resource: "workspace:main", permission: sync}
  addressed:
    table: documents
    columns: [id, title]
    first_read: stored
    authorize:
      gate: {resource: "workspace:main", permission: sync}
      context: {address: request.ip}
`

// forwarding is a deployment that a server in front asks.
func forwarding(t *testing.T, options ...option) *deployment {
	t.Helper()
	d := deploy(t, append(options, forwardShapes(t))...)
	d.serveForwardAuth()
	return d
}

func forwardShapes(t *testing.T) option {
	t.Helper()
	shapes, err := schema.Parse("shapes.yaml", []byte(forwardYAML))
	if err != nil {
		t.Fatal(err)
	}
	return configured(func(c *proxy.Config) { c.Shapes = shapes })
}

// serveForwardAuth has what is sent from now on go to where servers in front ask.
func (d *deployment) serveForwardAuth() {
	server := httptest.NewServer(d.handler.ForwardAuth())
	d.end(server.Close)
	d.url = server.URL
	d.client.Transport.(*openapitest.Transport).At = openapitest.ForwardAuth
}

// authorize asks about a request as Caddy and Traefik do.
func (r reader) authorize(method, uri string) *answer {
	r.d.t.Helper()
	return r.with("X-Forwarded-Method", method).with("X-Forwarded-Uri", uri).get("/v1/authorize")
}

// upstream returns the query of a permitted request at Electric.
func (a *answer) upstream() url.Values {
	a.t.Helper()
	a.is(http.StatusNoContent)
	query, ok := strings.CutPrefix(a.header.Get("Shapegate-Upstream-Uri"), "/v1/shape?")
	q, err := url.ParseQuery(query)
	if err != nil || !ok {
		a.t.Fatalf("not a URI of Electric's: %v", a.header)
	}
	return q
}

func TestAPermittedRequestIsNamedAnew(t *testing.T) {
	d := forwarding(t)
	const whereOfBoard = "(archived = false OR pinned = true) AND true"
	board := map[string]string{
		"table": `"public"."documents"`, "columns": `"id","title"`, "queryable_columns": `"id","title"`,
		"replica": "default", "log": "full", "where": whereOfBoard,
	}
	tasks := map[string]string{
		"table": `"public"."tasks"`, "columns": `"id","project","title"`, "queryable_columns": `"id","project","title"`,
		"replica": "default", "log": "full", "where": "project = $1", "params[1]": "p1",
	}
	for _, tt := range []struct {
		name, uri string
		of        map[string]string
		want      map[string]string // and in place of what the definition has
	}{
		{"first read", "/v1/shapes/board?offset=-1", board, map[string]string{"offset": "-1"}},
		{"slash at the end", "/v1/shapes/board/?offset=-1", board, map[string]string{"offset": "-1"}},
		{"Electric's own URL", "/v1/shape?table=board&offset=-1", board, map[string]string{"offset": "-1"}},
		{"changes alone", "/v1/shapes/board?offset=now&log=changes_only", board, map[string]string{"offset": "now", "log": "changes_only"}},
		{"catch-up", "/v1/shapes/board?offset=26800584_4&handle=3833821-1721", board, map[string]string{"offset": "26800584_4", "handle": "3833821-1721"}},
		{"long-poll", "/v1/shapes/board?offset=0_inf&handle=3833821-1721&live=true&cursor=123", board, map[string]string{"offset": "0_inf", "handle": "3833821-1721", "live": "true", "cursor": "123"}},
		{"after a cache", "/v1/shapes/board?offset=-1&cache-buster=x&cache-buster=y&expired_handle=z", board, map[string]string{"offset": "-1"}},
		{"old values", "/v1/shapes/board?offset=-1&replica=full", board, map[string]string{"offset": "-1", "replica": "full"}},
		{"a param", "/v1/shapes/project_tasks?project=p1&offset=-1", tasks, map[string]string{"offset": "-1"}},
		{"a where", "/v1/shapes/project_tasks?project=p1&offset=-1&where=title+%3D+%241&params%5B1%5D=one", tasks,
			map[string]string{"offset": "-1", "where": `project = $1 AND ("title" = $2)`, "params[2]": "one"}},
		{"columns", "/v1/shapes/board?offset=-1&columns=id", board, map[string]string{"offset": "-1", "columns": `"id"`, "queryable_columns": `"id"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := maps.Clone(tt.of)
			maps.Copy(want, tt.want)
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				a := d.as("alice").authorize(method, tt.uri)
				got := make(map[string]string)
				for key, v := range a.upstream() {
					got[key] = strings.Join(v, " and ")
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got)\n%s", method, diff)
				}
				if subject := a.header.Get("Shapegate-Subject"); subject != "user:alice" {
					t.Errorf("the subject is %s", subject)
				}
				if shape := a.header.Get("Shapegate-Shape"); !strings.Contains(tt.uri, shape) || shape == "" {
					t.Errorf("the shape is %s", shape)
				}
			}
		})
	}
}

// What Electric is to be asked is what it answers, with the secret that the server in front
// adds.
func TestElectricAnswersWhatIsNamedAnew(t *testing.T) {
	d := forwarding(t)
	for uri, rows := range map[string]int{"/v1/shapes/board?offset=-1": 4, "/v1/shapes/project_tasks?project=p1&offset=-1&where=title%3D%27one%27": 1} {
		upstream := d.as("alice").authorize(http.MethodGet, uri).is(http.StatusNoContent).header.Get("Shapegate-Upstream-Uri")
		req, err := http.NewRequestWithContext(d.context(), http.MethodGet, d.electricURL+upstream+"&secret="+electricSecret, http.NoBody)
		d.check(err)
		resp, err := http.DefaultClient.Do(req)
		d.check(err)
		var messages []struct{ Value map[string]string }
		d.check(json.NewDecoder(resp.Body).Decode(&messages))
		closing(resp.Body)
		messages = slices.DeleteFunc(messages, func(m struct{ Value map[string]string }) bool { return m.Value == nil })
		if resp.StatusCode != http.StatusOK || len(messages) != rows {
			t.Errorf("%s: status %d with %d rows", uri, resp.StatusCode, len(messages))
		}
	}
}

func TestWhatOnlyTheProxyCanAnswerIsRefused(t *testing.T) {
	d := forwarding(t)
	for _, tt := range []struct{ method, uri, field string }{
		{"GET", "/v1/shapes/filtered?offset=-1", "authorize.filter"},
		{"GET", "/v1/shapes/snapshot?offset=-1", "first_read"},
		{"GET", "/v1/shapes/strict?offset=-1", "consistency"},
		{"GET", "/v1/shapes/addressed?offset=-1", "authorize.context"},
		{"POST", "/v1/shapes/board?offset=-1", "method"},
		{"GET", "/v1/shapes/board?offset=-1&subset__where=true", "subset__where"},
		{"GET", "/v1/shapes/board?offset=0_0&handle=1-1&live=true&live_sse=true", "live_sse"},
		{"GET", "/v1/shapes/board?offset=0_0&handle=1-1&live=true&experimental_live_sse=true", "live_sse"},
	} {
		a := d.as("alice").authorize(tt.method, tt.uri)
		a.refused(http.StatusForbidden, tt.field)
		if a.problem() != "needs_proxy" {
			t.Errorf("%s: %s", tt.uri, a.body)
		}
	}
}

// problem is the kind of a refusal.
func (a *answer) problem() string {
	a.t.Helper()
	var body struct{ Error string }
	if err := json.Unmarshal(a.body, &body); err != nil {
		a.t.Fatal(err)
	}
	return body.Error
}

func TestWhatIsNoReadOfALogIsRefused(t *testing.T) {
	d := forwarding(t)
	for _, tt := range []struct {
		method, uri string
		status      int
		field       string
	}{
		{"PUT", "/v1/shapes/board?offset=-1", 400, "method"},
		{"DELETE", "/v1/shapes/board?offset=-1", 400, "method"},
		{"OPTIONS", "/v1/shapes/board?offset=-1", 400, "method"},
		{"get", "/v1/shapes/board?offset=-1", 400, "method"},
		{"GET", "/", 400, "x-forwarded-uri"},
		{"GET", "/v1/session", 400, "x-forwarded-uri"},
		{"GET", "/v1/authorize", 400, "x-forwarded-uri"},
		{"GET", "/v1/shapes/board/more?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "//v1/shapes/board?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1//shapes/board?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1/shapes//board?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1/./shapes/board?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1/x/../shapes/board?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1/shapes/%62oard?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1/shapes/x%2f..%2fboard?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1/shapes/%2e%2e/shape?table=board&offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1/shapes/board#?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "http://electric/v1/shapes/board?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "*", 400, "x-forwarded-uri"},
		{"GET", "v1/shapes/board", 400, "x-forwarded-uri"},
		{"GET", "/v1/shapes/board?offset=-1&where=" + strings.Repeat("x", 10_000), 400, "x-forwarded-uri"},
		{"GET", "/v1/shapes/nothing?offset=-1", 404, "table"},
		{"GET", "/v1/shape?offset=-1", 400, "x-forwarded-uri"},
		{"GET", "/v1/shape?table=payroll&offset=-1", 404, "table"},
		{"GET", "/v1/shape?table=board&table=payroll&offset=-1", 400, "table"},
		{"GET", "/v1/shapes/board?offset=-1;table=payroll", 400, "query"},
		{"GET", "/v1/shapes/board?offset=-1&queryable_columns=secret", 400, "queryable_columns"},
		{"GET", "/v1/shapes/board?offset=-1&secret=x", 400, "secret"},
		{"GET", "/v1/shapes/board?offset=-1&TABLE=payroll", 400, "TABLE"},
		{"GET", "/v1/shapes/board?offset=-1&columns=secret", 400, "columns"},
		{"GET", "/v1/shapes/board?offset=-1&where=secret%3D%27x%27", 400, "where"},
		{"GET", "/v1/shapes/board?offset=-1&where=true)+OR+(true", 400, "where"},
		{"GET", "/v1/shapes/whole?offset=-1&where=true", 400, "where"},
		{"GET", "/v1/shapes/project_tasks?offset=-1", 400, "project"},
		{"GET", "/v1/shapes/project_tasks?offset=-1&project=p1&project=p2", 400, "project"},
		{"GET", "/v1/shapes/board", 400, "offset"},
		{"GET", "/v1/shapes/board?offset=5_0", 400, "handle"},
		{"GET", "/v1/shapes/board?offset=-1&live=true", 400, "live"},
		{"GET", "/v1/shapes/board?offset=5_0&handle=1%26table%3Dpayroll", 400, "handle"},
	} {
		a := d.as("alice").authorize(tt.method, tt.uri)
		a.refused(tt.status, tt.field)
		var repeated, body any
		d.check(json.Unmarshal([]byte(a.header.Get("Shapegate-Error")), &repeated))
		d.check(json.Unmarshal(a.body, &body))
		if diff := cmp.Diff(body, repeated); diff != "" {
			t.Errorf("%s: the header has another problem than the body: %s", tt.uri, diff)
		}
	}
}

func TestARefusalInAHeaderIsASCII(t *testing.T) {
	d := forwarding(t)
	a := d.as("alice").authorize("GET", "/v1/shapes/board?offset=-1&%C3%BC%F0%9F%94%91%0A=x")
	a.refused(http.StatusBadRequest, "ü🔑\n")
	if header := a.header.Get("Shapegate-Error"); !strings.Contains(header, `"\u00fc\ud83d\udd11\n"`) {
		t.Errorf("the header is %s", header)
	}
}

func TestHeadersThatNameNoOneRequestAreRefused(t *testing.T) {
	d := forwarding(t)
	const uri = "/v1/shapes/board?offset=-1"
	for name, tt := range map[string]struct {
		headers []string
		field   string // empty: permitted
	}{
		"Caddy's and Traefik's":  {[]string{"X-Forwarded-Method: GET", "X-Forwarded-Uri: " + uri}, ""},
		"nginx's":                {[]string{"X-Original-Method: GET", "X-Original-URI: " + uri}, ""},
		"both, the same":         {[]string{"X-Forwarded-Method: GET", "X-Forwarded-Uri: " + uri, "X-Original-Method: GET", "X-Original-URI: " + uri}, ""},
		"one of each":            {[]string{"X-Forwarded-Method: GET", "X-Original-URI: " + uri}, ""},
		"an empty one beside":    {[]string{"X-Forwarded-Method: GET", "X-Forwarded-Uri: " + uri, "X-Original-URI: "}, "x-forwarded-uri"},
		"none":                   {nil, "x-forwarded-method"},
		"no method":              {[]string{"X-Forwarded-Uri: " + uri}, "x-forwarded-method"},
		"no URI":                 {[]string{"X-Forwarded-Method: GET"}, "x-forwarded-uri"},
		"an empty URI":           {[]string{"X-Forwarded-Method: GET", "X-Forwarded-Uri: "}, "x-forwarded-uri"},
		"two methods":            {[]string{"X-Forwarded-Method: GET", "X-Forwarded-Method: POST", "X-Forwarded-Uri: " + uri}, "x-forwarded-method"},
		"two URIs":               {[]string{"X-Forwarded-Method: GET", "X-Forwarded-Uri: " + uri, "X-Forwarded-Uri: " + uri}, "x-forwarded-uri"},
		"methods that disagree":  {[]string{"X-Forwarded-Method: POST", "X-Original-Method: GET", "X-Forwarded-Uri: " + uri}, "x-forwarded-method"},
		"URIs that disagree":     {[]string{"X-Forwarded-Method: GET", "X-Forwarded-Uri: " + uri, "X-Original-URI: /v1/shapes/whole?offset=-1"}, "x-forwarded-uri"},
		"two of the second name": {[]string{"X-Forwarded-Method: GET", "X-Original-URI: " + uri, "X-Original-URI: " + uri}, "x-forwarded-uri"},
	} {
		t.Run(name, func(t *testing.T) {
			r := d.as("alice")
			for _, h := range tt.headers {
				name, value, _ := strings.Cut(h, ": ")
				r = r.with(name, value)
			}
			a := r.get("/v1/authorize")
			if tt.field == "" {
				a.is(http.StatusNoContent)
			} else {
				a.refused(http.StatusBadRequest, tt.field)
			}
		})
	}
}

// Asking for a verdict tells nothing that a request for the shape would not tell.
func TestAVerdictTellsNoMoreThanARequestForTheShape(t *testing.T) {
	d := forwarding(t)
	clients := httptest.NewServer(d.handler)
	d.end(clients.Close)
	for _, shape := range []string{"board", "filtered", "snapshot", "strict", "addressed", "whole", "nothing"} {
		for who, r := range map[string]reader{"anybody": d.anybody(), "mallory": d.as("mallory")} {
			uri := "/v1/shapes/" + shape + "?offset=-1"
			verdict := r.authorize(http.MethodGet, uri)
			here := d.url
			d.url = clients.URL
			d.client.Transport.(*openapitest.Transport).At = openapitest.Public
			asked := r.get(uri)
			d.url = here
			d.client.Transport.(*openapitest.Transport).At = openapitest.ForwardAuth
			if verdict.status != asked.status || string(verdict.body) != string(asked.body) {
				t.Errorf("%s, %s: %d %s, but a request for the shape gets %d %s", who, shape, verdict.status, verdict.body, asked.status, asked.body)
			}
		}
	}
}

// Clients reach neither the route nor, by it, what it tells of definitions.
func TestClientsDoNotReachForwardAuth(t *testing.T) {
	d := deploy(t)
	d.as("alice").authorize(http.MethodGet, "/v1/shapes/documents?offset=-1").refused(http.StatusNotFound, "")
}

func TestAVerdictIsMadeAnewEachTime(t *testing.T) {
	d := forwarding(t)
	const uri = "/v1/shapes/project_tasks?project=p1&offset=-1"
	d.as("alice").authorize(http.MethodGet, uri).is(http.StatusNoContent)
	d.as("bob").authorize(http.MethodGet, uri).refused(http.StatusForbidden, "")
	d.revoke("project:p1#viewer@user:alice")
	a := d.as("alice").authorize(http.MethodGet, uri)
	a.refused(http.StatusForbidden, "")
	if a.problem() != "forbidden" {
		t.Errorf("%s", a.body)
	}
}

func TestVerdictsAreLimitedAndCounted(t *testing.T) {
	d := forwarding(t, oneRequest)
	const uri = "/v1/shapes/board?offset=-1"
	d.as("alice").authorize(http.MethodGet, uri).is(http.StatusNoContent)
	a := d.as("alice").authorize(http.MethodGet, uri)
	a.refused(http.StatusTooManyRequests, "")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if n := d.metric("shapegate_requests_total"); n != 2 {
		t.Errorf("%v requests were counted", n)
	}
	if n := d.metric("shapegate_errors_total"); n != 1 {
		t.Errorf("%v errors were counted", n)
	}
}

// Electric makes a shape of each log, and keeps it.
func TestLogsThatClientsNameAreCounted(t *testing.T) {
	d := forwarding(t, configured(func(c *proxy.Config) { c.Feeds = feed.Config{PerSubject: 2} }))
	uri := func(title string) string { return "/v1/shapes/board?offset=-1&where=title%3D%27" + title + "%27" }
	for range 2 {
		d.as("alice").authorize(http.MethodGet, uri("one")).is(http.StatusNoContent)
		d.as("alice").authorize(http.MethodGet, uri("two")).is(http.StatusNoContent)
	}
	d.as("alice").authorize(http.MethodGet, uri("three")).refused(http.StatusTooManyRequests, "")
	d.as("alice").authorize(http.MethodGet, "/v1/shapes/board?offset=-1").is(http.StatusNoContent)
	d.as("carol").authorize(http.MethodGet, uri("three")).is(http.StatusNoContent)
}

// The two ways to ask for a verdict give the same one.
func TestACallGetsTheVerdictOfTheRoute(t *testing.T) {
	d := forwarding(t)
	for _, tt := range []struct{ person, method, uri string }{
		{"alice", "GET", "/v1/shapes/board?offset=-1"}, {"alice", "POST", "/v1/shapes/board?offset=-1"},
		{"mallory", "GET", "/v1/shapes/board?offset=-1"}, {"alice", "GET", "/v1/shapes/nothing?offset=-1"}, {"", "GET", "/"},
	} {
		r := d.anybody()
		if tt.person != "" {
			r = d.as(tt.person)
		}
		a := r.authorize(tt.method, tt.uri)
		v := d.handler.Authorize(d.context(), proxy.Forwarded{Method: tt.method, URI: tt.uri, Header: r.header})
		if v.Status != a.status || string(v.Body) != string(a.body) || v.UpstreamURI != a.header.Get("Shapegate-Upstream-Uri") || v.Permits() != (a.status == http.StatusNoContent) {
			t.Errorf("%s %s: the route answers %d %s, the call %+v", tt.method, tt.uri, a.status, a.body, v)
		}
		for _, name := range []string{"Cache-Control", "Vary", "Content-Type", "Www-Authenticate"} {
			if !v.Permits() && v.Header.Get(name) != a.header.Get(name) {
				t.Errorf("%s: %q, and %q by the route", name, v.Header.Get(name), a.header.Get(name))
			}
		}
	}
}

// ofForwardAuth gets each answer to a server in front.
func (a *answers) ofForwardAuth(t *testing.T) {
	t.Helper()
	const uri = "/v1/shapes/board?offset=-1"
	in := func(prepare func(*deployment), options ...option) {
		d := a.deploy(t, append(options, forwardShapes(t))...)
		d.serveForwardAuth()
		prepare(d)
		d.as("alice").authorize(http.MethodGet, uri)
		d.close()
	}
	in(func(d *deployment) {
		d.as("alice").authorize(http.MethodGet, "/")
		d.anybody().authorize(http.MethodGet, uri)
		d.as("mallory").authorize(http.MethodGet, uri)
		d.as("alice").authorize(http.MethodGet, "/v1/shapes/nothing")
	})
	in(func(d *deployment) { d.as("alice").authorize(http.MethodGet, uri) }, oneRequest)
	in(func(*deployment) {}, deciding(broken{}))
	in(func(d *deployment) { d.upstream.answering(anything, badRequest()) })
	in(func(d *deployment) { d.upstream.away() })
}
