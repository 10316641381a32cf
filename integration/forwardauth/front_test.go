package forwardauth_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request as it is written, and reads the answer.
func (w *world) send(front, request string) answer {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(front, "http://"))
	w.check(err)
	defer func() { _ = conn.Close() }()
	w.check(conn.SetDeadline(time.Now().Add(deadline)))
	_, err = io.WriteString(conn, request)
	w.check(err)
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	w.check(err)
	body, err := io.ReadAll(resp.Body)
	w.check(err)
	a := answer{resp.StatusCode, resp.Header, string(body)}
	if text := a.body + fmt.Sprint(a.header); strings.Contains(text, electricSecret) || strings.Contains(text, "Shapegate-Upstream") || strings.Contains(text, "archived") {
		w.t.Errorf("the answer to %.200s\ntells too much: %s", request, text)
	}
	return a
}

// get is a request of a person for a path and query, with further lines of its header.
func (w *world) get(person, uri string, header ...string) string {
	w.t.Helper()
	lines := append([]string{"GET " + uri + " HTTP/1.1", "Host: sync.example"}, header...)
	if person != "" {
		lines = append(lines, "Authorization: "+w.bearer(person))
	}
	return strings.Join(append(lines, "Connection: close"), "\r\n") + "\r\n\r\n"
}

// rows are the titles of the documents of an answer.
func (a answer) rows(t *testing.T) (titles []string) {
	t.Helper()
	var messages []struct{ Value struct{ Title string } }
	if err := json.Unmarshal([]byte(a.body), &messages); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	for _, m := range messages {
		if m.Value.Title != "" {
			titles = append(titles, m.Value.Title)
		}
	}
	return titles
}

// problem is the error of a refusal, and the field that it names.
func (a answer) problem(t *testing.T) string {
	t.Helper()
	var body struct{ Error, Message, Field string }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%v: %q", err, a.body)
	}
	return strings.TrimSpace(body.Error + " " + body.Field)
}

// eachFront runs a test with each server in front.
func eachFront(t *testing.T, do func(t *testing.T, w *world, front string)) {
	t.Helper()
	for _, name := range []string{"caddy", "nginx", "traefik"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			do(t, w, w.front(name))
		})
	}
}

// ofComet is the request that Electric is to be asked for the documents of a project.
var ofComet = map[string]string{
	"table": `"public"."documents"`, "columns": `"id","project_id","title","tags","updated_at"`,
	"queryable_columns": `"id","project_id","title","tags","updated_at"`, "replica": "default", "log": "full",
	"where": "project_id = $1 AND archived = false", "params[1]": "comet", "secret": electricSecret,
}

// checkAsked holds what Electric was asked to the definition of the shape. Beside it there
// may be the place in the log.
func (w *world) checkAsked(where string) {
	w.t.Helper()
	for _, a := range w.electricWasAsked() {
		got := make(map[string]string)
		for key, values := range a.query {
			switch key {
			case "offset", "handle", "live", "cursor":
			default:
				got[key] = strings.Join(values, " and ")
			}
		}
		if diff := cmp.Diff(ofComet, got); diff != "" && where == "" {
			w.t.Errorf("Electric was asked (-want +got)\n%s", diff)
		}
		if where != "" && got["where"] != where {
			w.t.Errorf("Electric was asked for the rows where %s, want %s", got["where"], where)
		}
		if a.method != http.MethodGet || len(a.body) > 1 { // a byte says nothing
			w.t.Errorf("Electric was sent a %s with the body %q", a.method, a.body)
		}
		for _, name := range []string{"Authorization", "Cookie", "Shapegate-Upstream-Uri", "If-None-Match"} {
			if v := a.header.Values(name); len(v) > 0 {
				w.t.Errorf("Electric was sent %s: %s", name, v)
			}
		}
	}
}

func TestAPermittedClientIsAnsweredByElectric(t *testing.T) {
	eachFront(t, func(t *testing.T, w *world, front string) {
		first := w.send(front, w.get("alice", "/v1/shapes/project_documents?project=comet&offset=-1", "Origin: "+appOrigin, `Cookie: a=b`, `If-None-Match: "x"`))
		if first.status != http.StatusOK {
			t.Fatalf("status %d: %s", first.status, first.body)
		}
		if diff := cmp.Diff([]string{"Comet pitch", "Comet contract"}, first.rows(t)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		for name, want := range map[string]string{
			"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie, Origin, Accept-Encoding", "Etag": "",
			"Access-Control-Allow-Origin": appOrigin, "Access-Control-Allow-Credentials": "true",
		} {
			if got := strings.Join(first.header.Values(name), " and "); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if !strings.Contains(strings.ToLower(first.header.Get("Access-Control-Expose-Headers")), "electric-offset") {
			t.Errorf("a page may read %s", first.header.Get("Access-Control-Expose-Headers"))
		}
		at := "&handle=" + first.header.Get("Electric-Handle") + "&offset=" + first.header.Get("Electric-Offset")
		if n := len(w.asked); n != 1 {
			t.Errorf("Electric was asked %d times", n)
		}
		w.checkAsked("")

		live := make(chan answer, 1)
		go func() {
			live <- w.send(front, w.get("alice", "/v1/shapes/project_documents?project=comet&live=true"+at))
		}()
		w.check(w.tables.WaitHeld(t.Context(), 1))
		_, err := w.tables.Exec(`UPDATE documents SET title = 'Comet II' WHERE title = 'Comet pitch'`)
		w.check(err)
		if diff := cmp.Diff([]string{"Comet II"}, (<-live).rows(t)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		w.checkAsked("")

		narrowed := w.send(front, w.get("alice", "/v1/shapes/project_documents?project=comet&offset=-1&where=title%3D%241&params%5B1%5D=Comet+II"))
		if diff := cmp.Diff([]string{"Comet II"}, narrowed.rows(t)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		w.checkAsked(`project_id = $1 AND archived = false AND ("title" = $2)`)
	})
}

func TestARefusalReachesTheClientAsShapegateGaveIt(t *testing.T) {
	eachFront(t, func(t *testing.T, w *world, front string) {
		const uri = "/v1/shapes/project_documents?project=comet&offset=-1"
		for _, tt := range []struct {
			request string
			status  int
			problem string
		}{
			{w.get("", uri), 401, "unauthenticated"},
			{w.get("bob", uri), 403, "forbidden"},
			{w.get("alice", uri+"&colour=red"), 400, "bad_request colour"},
			{w.get("alice", uri+"&subset__where=true"), 403, "needs_proxy subset__where"},
			{strings.Replace(w.get("alice", uri, "Content-Length: 0"), "GET", "POST", 1), 403, "needs_proxy method"},
			{w.get("alice", "/v1/shapes/project_documents?project=comet&offset=0_0&handle=1-1&live=true&live_sse=true"), 403, "needs_proxy live_sse"},
		} {
			a := w.send(front, strings.Replace(tt.request, "Host:", "Origin: "+appOrigin+"\r\nHost:", 1))
			if a.status != tt.status || a.problem(t) != tt.problem {
				t.Errorf("%.80s\nstatus %d: %s, want %d %s", tt.request, a.status, a.body, tt.status, tt.problem)
			}
			for name, want := range map[string]string{
				"Cache-Control": "private, no-store", "Access-Control-Allow-Origin": appOrigin, "Content-Type": "application/json; charset=utf-8",
			} {
				if got := strings.Join(a.header.Values(name), " and "); got != want {
					t.Errorf("%d: %s: %s, want %s", a.status, name, got, want)
				}
			}
			if authenticate := a.header.Values("WWW-Authenticate"); (len(authenticate) == 1) != (tt.status == 401) {
				t.Errorf("%d: WWW-Authenticate: %q", a.status, authenticate)
			}
		}
		if asked := w.electricWasAsked(); len(asked) > 0 {
			t.Errorf("Electric was asked: %+v", asked)
		}
	})
}

// Whatever a client does to its request, Electric is asked for the shape that was permitted,
// or not at all.
func TestNoRequestGetsPastTheVerdict(t *testing.T) {
	eachFront(t, func(t *testing.T, w *world, front string) {
		const uri = "/v1/shapes/project_documents?project=comet&offset=-1"
		body := `{"table":"salaries","where":"true","columns":"id,person,amount"}`
		second := "GET /v1/shape?table=salaries&offset=-1&secret=" + electricSecret + " HTTP/1.1\r\nHost: x\r\n\r\n"
		withBody := func(method string, header ...string) string {
			header = append(header, "Content-Type: application/json", fmt.Sprint("Content-Length: ", len(body)))
			return strings.Replace(w.get("alice", uri, header...), "GET", method, 1) + body
		}
		get := func(uri string, header ...string) string { return w.get("alice", uri, header...) }
		for name, request := range map[string]string{
			"chunked body by GET":               get(uri, "Transfer-Encoding: chunked", "Content-Type: application/json") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body),
			"body that is a request":            get(uri, fmt.Sprint("Content-Length: ", len(second))) + second,
			"body over query by POST":           withBody("POST"),
			"body over query by PUT":            withBody("PUT"),
			"body over query by GET":            withBody("GET"),
			"body over query by DELETE":         withBody("DELETE"),
			"POST that calls itself GET":        withBody("POST", "X-Forwarded-Method: GET", "X-Original-Method: GET", "X-HTTP-Method-Override: GET"),
			"GET that wants to be POST":         withBody("GET", "X-HTTP-Method-Override: POST", "X-Method-Override: POST"),
			"DELETE of the shape":               strings.Replace(get(uri), "GET", "DELETE", 1),
			"a method of its own":               strings.Replace(get(uri), "GET", "SUBSCRIBE", 1),
			"second table":                      get(uri + "&table=salaries"),
			"two tables":                        get(uri + "&table=project_documents&table=salaries"),
			"second project":                    get(uri + "&project=atlas"),
			"encoded key":                       get(uri + "&%70roject=atlas"),
			"list":                              get(uri + "&table[]=salaries"),
			"map":                               get(uri + "&params[1]=atlas&params%5B1%5D=atlas"),
			"semicolon":                         get(uri + ";table=salaries"),
			"where":                             get(uri + "&where=true)%20OR%20(true"),
			"where that comments the rest out":  get(uri + "&where=true--"),
			"columns":                           get(uri + "&columns=id,body"),
			"other columns":                     get(uri + "&queryable_columns=body"),
			"own secret":                        get(uri + "&secret=x&api_secret=x"),
			"secret of the environment":         get(uri + "&where={env.ELECTRIC_SECRET}&columns={$ELECTRIC_SECRET}"),
			"variable of nginx":                 get(uri + "&where=$shapegate_uri"),
			"doubled slash":                     get(strings.Replace(uri, "/v1/", "/v1//", 1)),
			"slash in front":                    get("/" + uri),
			"encoded dot":                       get(strings.Replace(uri, "/v1/", "/v1/%2e/", 1)),
			"way up":                            get(strings.Replace(uri, "/v1/", "/v1/x/../", 1)),
			"encoded way up":                    get(strings.Replace(uri, "/v1/", "/v1/x/%2e%2e/", 1)),
			"encoded slash":                     get(strings.Replace(uri, "shapes/", "shapes%2f", 1)),
			"encoded letter":                    get(strings.Replace(uri, "shapes", "%73hapes", 1)),
			"capitals":                          get(strings.Replace(uri, "shapes", "SHAPES", 1)),
			"path of Electric":                  get("/v1/shape?table=secrets&offset=-1"),
			"fragment":                          get("/v1/shapes/project_documents#?project=comet&offset=-1"),
			"question marks":                    get(uri + "&x=??table=salaries"),
			"absolute URI":                      get("http://sync.example" + uri),
			"absolute URI of another":           get("http://electric.example/v1/shape?table=secrets&offset=-1"),
			"authority in the path":             get("//electric.example/v1/shape?table=salaries&offset=-1"),
			"long URI":                          get(uri + "&where=" + strings.Repeat("x", 9000)),
			"very long URI":                     get(uri + "&where=" + strings.Repeat("x", 50_000)),
			"URI in a header":                   get(uri, "X-Forwarded-Uri: /v1/shapes/project_documents?project=atlas&offset=-1"),
			"URI in another header":             get(uri, "X-Original-URI: /v1/shapes/project_documents?project=atlas&offset=-1", "X-Original-URL: /v1/shape?table=salaries", "X-Rewrite-URL: /v1/shape?table=salaries"),
			"URI in a header with underscores":  get(uri, "X_Forwarded_Uri: /v1/shapes/project_documents?project=atlas&offset=-1"),
			"URI in a header, twice":            get(uri, "X-Forwarded-Uri: /a", "X-Forwarded-Uri: /b"),
			"URI in a header of the connection": get(uri, "Connection: X-Forwarded-Uri, X-Forwarded-Method, Authorization"),
			"upstream URI":                      get(uri, "Shapegate-Upstream-Uri: /v1/shape?table=salaries&offset=-1"),
			"upstream URI, not permitted":       w.get("bob", uri, "Shapegate-Upstream-Uri: /v1/shape?table=salaries&offset=-1"),
			"upstream URI, twice":               get(uri, "Shapegate-Upstream-Uri: /a", "shapegate-upstream-uri: /v1/shape?table=salaries&offset=-1"),
			"place of the verdict":              get("/shapegate-authorize", "X-Forwarded-Method: GET", "X-Forwarded-Uri: "+uri),
			"route of the verdict":              get("/v1/authorize", "X-Forwarded-Method: GET", "X-Forwarded-Uri: "+uri),
			"smuggled request":                  get(uri, "Content-Length: 4", "Transfer-Encoding: chunked") + "0\r\n\r\nGET /v1/shape?table=salaries&offset=-1 HTTP/1.1\r\nHost: x\r\n\r\n",
			"line break in the handle":          get("/v1/shapes/project_documents?project=comet&offset=0_0&handle=x%0d%0aX-Evil:%201"),
		} {
			a := w.send(front, request)
			if a.status == http.StatusOK && strings.Join(a.rows(t), ", ") != "Comet pitch, Comet contract" {
				t.Errorf("%s: status %d: %s", name, a.status, a.body)
			}
			w.checkAsked("")
		}
	})
}

// A handle is a name of Electric's for a log. That of another project's is good for nothing.
func TestTheHandleOfAnotherLogBringsNothingOfIt(t *testing.T) {
	eachFront(t, func(t *testing.T, w *world, front string) {
		const atlas = "/v1/shapes/project_documents?project=atlas&offset=-1"
		carols := w.send(front, w.get("carol", atlas)) // she administers
		if carols.status != http.StatusOK || len(carols.rows(t)) == 0 {
			t.Fatalf("status %d: %s", carols.status, carols.body)
		}
		w.electricWasAsked()
		if a := w.send(front, w.get("alice", atlas)); a.status != http.StatusForbidden {
			t.Fatalf("alice gets %d", a.status)
		}
		a := w.send(front, w.get("alice", "/v1/shapes/project_documents?project=comet&offset=0_0&handle="+carols.header.Get("Electric-Handle")))
		if a.status == http.StatusOK || strings.Contains(a.body, "Atlas") {
			t.Errorf("status %d: %s", a.status, a.body)
		}
		w.checkAsked("")
	})
}

func TestWhoLosesThePermissionIsRefused(t *testing.T) {
	eachFront(t, func(t *testing.T, w *world, front string) {
		const uri = "/v1/shapes/project_documents?project=comet&offset=-1"
		if a := w.send(front, w.get("alice", uri)); a.status != http.StatusOK {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		w.check(w.spice.Delete(t.Context(), "project:comet#lead@user:alice"))
		var last answer
		w.await(func() bool { last = w.send(front, w.get("alice", uri)); return last.status != http.StatusOK })
		if last.status != http.StatusForbidden || last.problem(t) != "forbidden" {
			t.Errorf("status %d: %s", last.status, last.body)
		}
	})
}

// Where nobody can say whether a request is permitted, it is not.
func TestWithoutShapegateNobodyReachesElectric(t *testing.T) {
	eachFront(t, func(t *testing.T, w *world, front string) {
		w.forwardAuth.CloseClientConnections()
		w.forwardAuth.Close()
		a := w.send(front, w.get("alice", "/v1/shapes/project_documents?project=comet&offset=-1", "Shapegate-Upstream-Uri: /v1/shape?table=salaries&offset=-1"))
		if a.status < 500 {
			t.Errorf("status %d: %s", a.status, a.body)
		}
		if asked := w.electricWasAsked(); len(asked) > 0 {
			t.Errorf("Electric was asked: %+v", asked)
		}
	})
}

// Preflights, and all other paths, are shapegate's.
func TestAllElseIsAnsweredByShapegate(t *testing.T) {
	eachFront(t, func(t *testing.T, w *world, front string) {
		preflight := strings.Replace(w.get("", "/v1/shapes/project_documents?project=comet", "Origin: "+appOrigin, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization"), "GET", "OPTIONS", 1)
		if a := w.send(front, preflight); a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != appOrigin {
			t.Errorf("the preflight: status %d: %v", a.status, a.header)
		}
		if a := w.send(front, w.get("alice", "/v1/shapes/projects?offset=-1")); a.status != http.StatusOK || a.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("another shape: status %d: %v", a.status, a.header)
		}
		other := w.send(front, w.get("alice", "/v1/shapes/project_documents?project=comet&offset=-1", "Origin: https://other.example"))
		if origin := other.header.Get("Access-Control-Allow-Origin"); origin != "" || other.status != http.StatusOK {
			t.Errorf("pages of another origin may read the answer: %s", origin)
		}
	})
}
