package proxy_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/forwarded"
)

// below has all paths begin with /apps/sync. Its answers are not held to openapi.yaml, which
// has the paths without it.
func below(t *testing.T) *deployment {
	t.Helper()
	d := deploy(t, configured(func(c *proxy.Config) { c.Front.BasePath = "/apps/sync" }))
	d.client.Transport = http.DefaultTransport
	return d
}

func TestAllPathsBeginWithTheBasePath(t *testing.T) {
	d := below(t)
	const base = "/apps/sync"
	alice := d.as("alice")
	first := alice.get(base+"/v1/shapes/documents?offset=-1").holds("d1", "d2")
	alice.get(base + "/v1/shapes/documents/?" + first.onward()).says("up-to-date")
	alice.get(base+"/v1/shape?table=documents&offset=-1").holds("d1", "d2")
	for _, path := range []string{
		"/v1/shapes/documents?offset=-1", "/apps/v1/shapes/documents?offset=-1", "/apps/syncv1/shapes/documents?offset=-1",
		"/apps/sync-v1/shapes/documents?offset=-1", "/sync/v1/shapes/documents?offset=-1", "/v1/session", "/", "/apps",
		base + base + "/v1/shapes/documents?offset=-1", "/APPS/SYNC/v1/shapes/documents?offset=-1",
	} {
		alice.get(path).refused(http.StatusNotFound, "")
	}
	if a := alice.get(base + "/").is(http.StatusNotFound); !strings.Contains(string(a.body), "shapes are at /apps/sync/v1/shapes/") {
		t.Errorf("%s", a.body)
	}
	if a := alice.do(http.MethodOptions, base+"/v1/shapes/documents", "").is(http.StatusNoContent); a.header.Get("Allow") != "GET, HEAD, OPTIONS, POST" {
		t.Errorf("%v", a.header)
	}
	alice.do(http.MethodOptions, "/v1/shapes/documents", "").refused(http.StatusNotFound, "")
}

func TestTheSessionsCookieIsForTheBasePath(t *testing.T) {
	d := below(t)
	const session = "/apps/sync/v1/session"
	made := d.as("alice").post(session, "").is(http.StatusCreated).cookie()
	gone := d.anybody().with("Cookie", made.Name+"="+made.Value).do(http.MethodDelete, session, "").is(http.StatusNoContent).cookie()
	// A browser deletes a cookie only by one with the same path.
	for _, cookie := range []*http.Cookie{made, gone} {
		if cookie.Path != "/apps/sync" {
			t.Errorf("the cookie is %v", cookie)
		}
	}
}

// What another server may read as a path below the base is not one.
func TestOtherSpellingsOfTheBasePathAreNotServed(t *testing.T) {
	d := below(t)
	token := d.token("alice", nil)
	for path, want := range map[string]int{
		"/apps/sync/v1/shapes/documents":          http.StatusOK,
		"/apps/sync/v1/shapes/documents/":         http.StatusOK,
		"//apps/sync/v1/shapes/documents":         http.StatusNotFound,
		"/apps//sync/v1/shapes/documents":         http.StatusNotFound,
		"/apps/sync//v1/shapes/documents":         http.StatusNotFound,
		"/apps/sync/./v1/shapes/documents":        http.StatusNotFound,
		"/apps/sync/../sync/v1/shapes/documents":  http.StatusNotFound,
		"/other/../apps/sync/v1/shapes/documents": http.StatusNotFound,
		"/apps%2Fsync/v1/shapes/documents":        http.StatusNotFound,
		"/apps%2fsync%2fv1/shapes/documents":      http.StatusNotFound,
		"/%61pps/sync/v1/shapes/documents":        http.StatusNotFound,
		"/apps/sync%00/v1/shapes/documents":       http.StatusNotFound,
		"/apps/sync;x/v1/shapes/documents":        http.StatusNotFound,
		`/apps\sync/v1/shapes/documents`:          http.StatusNotFound,
	} {
		if got := d.rawStatus(path+"?offset=-1", "Authorization: Bearer "+token); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

// rawStatus is the status of the answer to a request whose path goes out as it is written.
func (d *deployment) rawStatus(path string, headers ...string) int {
	d.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	d.check(err)
	defer closing(conn)
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: sync.example\r\n%s\r\nConnection: close\r\n\r\n", path, strings.Join(headers, "\r\n"))
	d.check(err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	d.check(err)
	defer closing(resp.Body)
	return resp.StatusCode
}

func TestABasePathThatIsNoneIsAnErrorAtTheStart(t *testing.T) {
	c := deploy(t).config
	c.Registerer = nil
	for _, path := range []string{"/", "sync", "/sync/", "//sync", "/a//b", "/a/../b", "/.", "/a b", "/%61", "https://sync.example/", "/a?b"} {
		c.Front.BasePath = path
		if _, err := proxy.New(c); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
}

// A caveat that asks for request.ip is handed the client's address, of which only a trusted
// proxy can tell.
func TestTheAddressOfARequestIsThatOfTheClient(t *testing.T) {
	grant := granting("document:" + full("d4") + `#viewer@user:dora[cleared:{"needed":3}]`) // and only from 127.0.0.0/8
	trust := func(list string, header forwarded.Header) func(*proxy.Config) {
		proxies, err := forwarded.ParseProxies(list)
		if err != nil {
			t.Fatal(err)
		}
		return func(c *proxy.Config) { c.Front.Proxies, c.Front.Header = proxies, header }
	}
	d := deploy(t, grant, configured(trust("127.0.0.1", "")))
	dora := d.asClaiming("dora", jwt.MapClaims{"clearance": 3})
	const path = "/v1/shapes/cleared?offset=-1"
	dora.get(path).holds("d4") // of the proxy itself
	dora.with("X-Forwarded-For", "127.0.0.9").get(path).holds("d4")
	dora.with("X-Forwarded-For", "198.51.100.1, 127.0.0.9").get(path).holds("d4")
	dora.with("X-Forwarded-For", "198.51.100.1").get(path).holds()
	dora.with("X-Forwarded-For", "127.0.0.9, 198.51.100.1").get(path).holds()
	dora.with("X-Forwarded-For", "127.0.0.9").with("X-Forwarded-For", "198.51.100.1, 127.0.0.1").get(path).holds()
	// What is not known permits nothing.
	dora.with("X-Forwarded-For", "nonsense").get(path).holds()
	// The other header says nothing.
	dora.with("Forwarded", "for=198.51.100.1").get(path).holds("d4")
	if log := d.logged.String(); !strings.Contains(log, "ip=198.51.100.1") || !strings.Contains(log, "ip=127.0.0.9") {
		t.Error("the log does not have the clients' addresses")
	}

	d.replica(trust("127.0.0.1", forwarded.Forwarded))
	dora.with("Forwarded", `for="[2001:db8::1]:80"`).get(path).holds()
	dora.with("Forwarded", "for=127.0.0.9;proto=https").with("X-Forwarded-For", "198.51.100.1").get(path).holds("d4")

	d.replica(trust("10.0.0.0/8", ""))
	dora.with("X-Forwarded-For", "198.51.100.1").get(path).holds("d4") // it is not of a trusted proxy
}
