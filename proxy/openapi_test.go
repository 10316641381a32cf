package proxy_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/integration/openapitest"
	"github.com/shapegate/shapegate/proxy"
)

var openAPI = sync.OnceValues(func() (*openapitest.File, error) { return openapitest.Load("openapi.yaml") })

// documented holds every answer that a test gets to openapi.yaml and to CACHING.md.
func (d *deployment) documented(next http.RoundTripper) *openapitest.Transport {
	file, err := openAPI()
	d.check(err)
	return &openapitest.Transport{
		File: file, Next: next,
		Report: func(err error) { d.t.Error("openapi.yaml:", err) },
		Note:   d.checkCaching,
	}
}

// The methods that a path is said to have are those that it has.
func TestAllowNamesTheMethodsOfThePath(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	for path, want := range map[string]string{
		"/v1/shapes/documents": "GET, HEAD, OPTIONS, POST",
		"/v1/shape":            "GET, HEAD, OPTIONS, POST",
		"/v1/session":          "DELETE, GET, HEAD, OPTIONS, POST",

		"/v1/gatekeeper/documents": "OPTIONS, POST",
		"/.well-known/jwks.json":   "GET, HEAD, OPTIONS",
	} {
		for method, status := range map[string]int{http.MethodOptions: http.StatusNoContent, http.MethodPut: http.StatusMethodNotAllowed} {
			allowed := strings.Split(alice.do(method, path, "").is(status).header.Get("Allow"), ", ")
			slices.Sort(allowed)
			if got := strings.Join(allowed, ", "); got != want {
				t.Errorf("%s %s: Allow: %s", method, path, got)
			}
		}
	}
}

// broken is an authorizer and a store of sessions with a defect.
type broken struct{}

var errBroken = errors.New("a defect")

func (broken) Subscribe(authz.Question) (authz.Subscription, error) { return nil, errBroken }

func (broken) Create(context.Context, identity.Identity, authz.ZedToken) (token string, s session.Session, err error) {
	return "", session.Session{}, errBroken
}
func (broken) Get(context.Context, string) (session.Session, error) {
	return session.Session{}, errBroken
}
func (broken) Delete(context.Context, string) error { return errBroken }
func (broken) Watch(string, func()) (stop func())   { return func() {} }
func (broken) GetReferred(context.Context, session.Reference) (session.Session, error) {
	return session.Session{}, errBroken
}
func (broken) WatchReferred(session.Reference, func()) (stop func()) { return func() {} }

// answers collects which of the file's answers were given.
type answers struct {
	mu    sync.Mutex
	given map[string]bool
}

// deploy starts a deployment whose answers are collected.
func (a *answers) deploy(t *testing.T, options ...option) *deployment {
	t.Helper()
	d := deploy(t, options...)
	transport := d.client.Transport.(*openapitest.Transport)
	check := transport.Note
	transport.Note = func(answer string, header http.Header) {
		check(answer, header)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.given[answer] = true
	}
	return d
}

// ask sends a request, and reads its answer unless it is a stream.
func (r reader) ask(method, path, body string) {
	r.d.t.Helper()
	if !strings.Contains(path, "live_sse=true") {
		r.d.check(r.do(method, path, body).err)
		return
	}
	ctx, cancel := context.WithCancel(r.d.context())
	defer cancel()
	resp, err := r.send(ctx, method, path, body)
	r.d.check(err)
	closing(resp.Body)
}

// What openapi.yaml says that may be answered is answered: each status of each operation
// has a request here that gets it, and is held to the file on the way.
func TestEachAnswerOfOpenAPIIsGiven(t *testing.T) {
	a := &answers{given: make(map[string]bool)}
	a.ofShapes(t)
	a.ofSessions(t)
	a.ofForwardAuth(t)
	a.ofTheGatekeeper(t)
	a.ofGrants(t)
	var missing []string
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range append(file.Answers(openapitest.Public), file.Answers(openapitest.ForwardAuth)...) {
		if !a.given[answer] {
			missing = append(missing, answer)
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("never given: %s", diff)
	}
}

// read asks for a shape in one of the ways that there are.
type read func(r reader, shape, query, body string)

// eachRead calls ask with each method at each path.
func eachRead(ask func(do read)) {
	for _, path := range []string{"/v1/shapes/%s?", "/v1/shape?table=%s&"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			ask(func(r reader, shape, query, body string) {
				r.ask(method, strings.Replace(path, "%s", shape, 1)+query, body)
			})
		}
	}
}

// ofShapes gets each answer about a shape.
func (a *answers) ofShapes(t *testing.T) {
	t.Helper()
	d := a.deploy(t)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1").onward()
	for _, path := range []string{"/v1/shapes/documents", "/v1/shape", "/v1/session"} {
		d.anybody().ask(http.MethodOptions, path, "")
	}
	eachRead(func(do read) {
		do(alice, "documents", "offset=-1", "")
		do(alice, "documents", "subset__where=true", "")
		do(alice, "documents", sse+at, "")
		do(alice, "documents", "offset=x", "")
		do(d.anybody(), "documents", "offset=-1", "")
		do(d.as("mallory"), "office", "offset=-1", "")
		do(alice, "payroll", "offset=-1", "")
		do(alice, "documents", "offset=0_0&handle=x", "")
		do(alice, "documents", "offset=now", strings.Repeat(" ", 8_000_001))
	})
	d.close()

	in := func(query string, prepare func(*deployment), options ...option) {
		d := a.deploy(t, options...)
		prepare(d)
		eachRead(func(do read) { do(d.as("alice"), "documents", query, "") })
		d.close()
	}
	asItIs := func(*deployment) {}
	in("subset__order_by=title&subset__limit=1", asItIs, grantingManyIDs())
	in("offset=-1", asItIs, deciding(broken{}))
	in("offset=-1", func(d *deployment) { d.as("alice").get("/v1/shapes/documents?offset=now") }, oneRequest)
	in("offset=-1", func(d *deployment) { d.upstream.answering(anything, badRequest()) })
	in("offset=-1", func(d *deployment) { d.upstream.away() })
}

// oneRequest is all that a subject may send.
var oneRequest = configured(func(c *proxy.Config) { c.Limits = proxy.Limits{Rate: 0.001, Burst: 1} })

// ofGrants gets each answer about a collection of grants.
func (a *answers) ofGrants(t *testing.T) {
	t.Helper()
	each := func(r reader, collection, query, body string) {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			r.ask(method, "/v1/grants/"+collection+"?"+query, body)
		}
	}
	d := a.deploy(t, editing)
	alice := d.as("alice")
	at := alice.get(actions + "offset=-1").onward()
	d.anybody().ask(http.MethodOptions, "/v1/grants/actions", "")
	each(alice, "actions", "offset=-1", "")
	each(alice, "actions", "subset__where=true", "")
	each(alice, "actions", sse+at, "")
	each(alice, "actions", "offset=x", "")
	each(d.anybody(), "actions", "offset=-1", "")
	each(d.as("mallory"), "office_actions", "offset=-1", "")
	each(alice, "nothing", "offset=-1", "")
	each(alice, "actions", "offset=0_0&handle=x", "")
	each(alice, "actions", "offset=now", strings.Repeat(" ", 8_000_001))
	d.close()

	d = a.deploy(t, deciding(broken{}))
	each(d.as("alice"), "actions", "offset=-1", "")
	d.close()
	d = a.deploy(t, oneRequest)
	d.as("alice").get("/v1/shapes/documents?offset=now")
	each(d.as("alice"), "actions", "offset=-1", "")
	d.close()
	d = a.deploy(t)
	d.replica(func(c *proxy.Config) { c.Ready = func() bool { return false } })
	each(d.as("alice"), "actions", "offset=-1", "")
	d.close()
}

// ofSessions gets each answer about a session.
func (a *answers) ofSessions(t *testing.T) {
	t.Helper()
	methods := []string{http.MethodPost, http.MethodGet, http.MethodHead, http.MethodDelete}
	all := func(r func(method string) reader, body string) {
		for _, method := range methods {
			r(method).ask(method, "/v1/session", body)
		}
	}
	d := a.deploy(t)
	cookie := d.anybody().with("Cookie", d.as("alice").login())
	fitting := func(method string) reader {
		if method == http.MethodPost {
			return d.as("alice")
		}
		return cookie
	}
	all(func(method string) reader {
		return fitting(method).with("Authorization", "x").with("Authorization", "x")
	}, "")
	all(func(string) reader { return d.anybody() }, "")
	all(fitting, "")
	cookie = d.anybody().with("Cookie", d.as("alice").login())
	all(fitting, strings.Repeat(" ", 8_000_001))
	d.replica(func(c *proxy.Config) { c.Sessions = broken{} })
	all(fitting, "")
	d.replica(func(c *proxy.Config) { c.Sessions = nil })
	all(fitting, "")
	d.replica(nil)
	cookie = d.anybody().with("Cookie", d.as("alice").login())
	d.redis.Close()
	all(fitting, "")
	d.close()

	d = a.deploy(t, oneRequest)
	d.as("alice").login()
	d.as("alice").post("/v1/session", "")
}

// ofTheGatekeeper gets each answer about a token for a shape, and about its keys.
func (a *answers) ofTheGatekeeper(t *testing.T) {
	t.Helper()
	const path, keys = "/v1/gatekeeper/documents", "/.well-known/jwks.json"
	d := a.deploy(t)
	for _, path := range []string{path, keys} {
		d.anybody().ask(http.MethodOptions, path, "")
	}
	d.as("alice").ask(http.MethodPost, path, "")
	d.as("alice").ask(http.MethodPost, path+"?offset=-1", "")
	d.as("alice").ask(http.MethodPost, path, strings.Repeat(" ", 8_000_001))
	d.anybody().ask(http.MethodPost, path, "")
	d.as("mallory").ask(http.MethodPost, "/v1/gatekeeper/office", "")
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		d.anybody().ask(method, keys, "")
	}
	d.replica(func(c *proxy.Config) { c.ShapeTokens = nil })
	d.as("alice").ask(http.MethodPost, path, "")
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		d.anybody().ask(method, keys, "")
	}
	d.close()

	in := func(prepare func(*deployment), options ...option) {
		d := a.deploy(t, options...)
		prepare(d)
		d.as("alice").ask(http.MethodPost, path, "")
		d.close()
	}
	in(func(*deployment) {}, deciding(broken{}))
	in(func(d *deployment) { d.as("alice").get("/v1/shapes/documents?offset=now") }, oneRequest)
	in(func(d *deployment) { d.upstream.answering(anything, badRequest()) })
	in(func(d *deployment) { d.upstream.away() })
}
