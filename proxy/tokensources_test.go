package proxy_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/proxy"
)

const (
	assertion = "X-Pomerium-Jwt-Assertion"
	rows      = "/v1/shapes/documents?offset=-1"
)

// behindAGateway has tokens in a header and in a cookie, and an origin whose pages may call.
func behindAGateway(t *testing.T) *deployment {
	t.Helper()
	return deploy(t, configured(func(c *proxy.Config) {
		c.TokenSources = proxy.TokenSources{Header: "x-pomerium-jwt-assertion", Cookie: "CF_Authorization"}
		c.CORSOrigins = []string{"https://app.example"}
	}))
}

func TestATokenCanBeInTheHeaderOfAGateway(t *testing.T) {
	d := behindAGateway(t)
	alice := d.token("alice", nil)
	for _, value := range []string{alice, "Bearer " + alice, "bearer  " + alice} {
		a := d.anybody().with(assertion, value).get(rows)
		a.holds("d1", "d2")
		if got := a.header.Get("Vary"); got != "Authorization, X-Pomerium-Jwt-Assertion, Cookie, Origin, Accept-Encoding" {
			t.Errorf("Vary: %s", got)
		}
	}
	expired := d.token("alice", jwt.MapClaims{"exp": d.clock.Now().Add(-time.Hour).Unix()})
	forged, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "alice", "exp": d.clock.Now().Add(time.Hour).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	d.check(err)
	session := d.as("alice").post("/v1/session", "").is(http.StatusCreated).session().Token
	for _, value := range []string{"alice", "user:alice", "", "Bearer", "Bearer ", "Basic " + alice, alice[:len(alice)-4] + "AAAA", expired, forged, session} {
		// Neither the bare word of who reaches shapegate past the gateway counts, nor is
		// anything else looked for in its place.
		d.anybody().with(assertion, value).with("Cookie", "CF_Authorization="+alice).get(rows).refused(http.StatusUnauthorized, "")
	}
	d.anybody().with(assertion, alice).with(assertion, alice).get(rows).refused(http.StatusBadRequest, "x-pomerium-jwt-assertion")
	d.anybody().with("X-Other-Header", alice).get(rows).refused(http.StatusUnauthorized, "")
}

func TestWithoutSettingsATokenIsInAuthorizationAlone(t *testing.T) {
	d := deploy(t)
	alice := d.token("alice", nil)
	d.anybody().with(assertion, alice).with("Cookie", "CF_Authorization="+alice).get(rows).refused(http.StatusUnauthorized, "")
	d.as("bob").with(assertion, alice).get(rows).holds("d3")
}

func TestTwoHeadersOfTwoPersonsAreRefused(t *testing.T) {
	d := behindAGateway(t)
	alice, bob := d.token("alice", nil), d.token("bob", nil)
	d.anybody().with("Authorization", "Bearer "+alice).with(assertion, alice).get(rows).holds("d1", "d2")
	session := d.as("alice").post("/v1/session", "").is(http.StatusCreated).session().Token
	for _, authorization := range []string{"Bearer " + bob, "Basic YWxpY2U6", "Bearer " + session, "Bearer nonsense", ""} {
		d.anybody().with("Authorization", authorization).with(assertion, alice).get(rows).refused(http.StatusBadRequest, "x-pomerium-jwt-assertion")
	}
}

func TestAHeaderWinsOverCookiesAndTheGatewaysCookieOverASession(t *testing.T) {
	d := behindAGateway(t)
	alice, bob := d.token("alice", nil), d.token("bob", nil)
	session := d.as("alice").login()
	d.anybody().with(assertion, bob).with("Cookie", "CF_Authorization="+alice).get(rows).holds("d3")
	d.as("bob").with("Cookie", "CF_Authorization="+alice).get(rows).holds("d3")
	d.anybody().with(assertion, bob).with("Cookie", session).get(rows).holds("d3")
	// Bob has logged in at the gateway, in a browser where a session of alice was left.
	for _, cookies := range []string{session + "; CF_Authorization=" + bob, "CF_Authorization=" + bob + "; " + session} {
		d.anybody().with("Cookie", cookies).get(rows).holds("d3")
	}
	d.anybody().with("Cookie", session+"; CF_Authorization=expired").get(rows).refused(http.StatusUnauthorized, "")
	d.anybody().with("Cookie", session+"; CF_Authorization=").get(rows).holds("d1", "d2")
	d.anybody().with("Cookie", "CF_Authorization="+bob+"; CF_Authorization="+bob).get(rows).holds("d3")
	d.anybody().with("Cookie", "CF_Authorization="+alice+"; CF_Authorization="+bob).get(rows).refused(http.StatusBadRequest, "cookie")
}

// A session is made of a gateway's token, and shown and ended beside it.
func TestASessionIsHadForAGatewaysToken(t *testing.T) {
	d := behindAGateway(t)
	for name, value := range map[string]string{assertion: d.token("alice", nil), "Cookie": "CF_Authorization=" + d.token("alice", nil)} {
		gateway := d.anybody().with(name, value)
		cookie := gateway.post("/v1/session", "").is(http.StatusCreated).cookie()
		both := gateway.with("Cookie", cookie.Name+"="+cookie.Value)
		if who := both.get("/v1/session").is(http.StatusOK).session().Subject; who != "user:alice" {
			t.Errorf("the session of %s", who)
		}
		both.do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent)
		d.anybody().with("Cookie", cookie.Name+"="+cookie.Value).get(rows).refused(http.StatusUnauthorized, "")
		gateway.get("/v1/session").refused(http.StatusUnauthorized, "")
	}
}

// The gateway's cookie goes with every request of a browser, whichever page has it sent.
func TestAGatewaysCookieDoesNotCountForOtherPages(t *testing.T) {
	d := behindAGateway(t)
	cookie := d.anybody().with("Cookie", "CF_Authorization="+d.token("alice", nil))
	host := d.url[len("http://"):]
	for name, page := range map[string]reader{
		"the same origin":                     cookie.with("Sec-Fetch-Site", "same-origin").with("Origin", d.url),
		"the same origin of an older browser": cookie.with("Origin", "http://"+host),
		"a page that may call":                cookie.with("Sec-Fetch-Site", "cross-site").with("Origin", "https://app.example"),
		"the address bar":                     cookie.with("Sec-Fetch-Site", "none"),
		"no browser":                          cookie,
	} {
		page.get(rows).holds("d1", "d2")
		if a := page.post("/v1/session", ""); a.status != http.StatusCreated {
			t.Errorf("%s gets %d for a session", name, a.status)
		}
	}
	for _, page := range []reader{
		cookie.with("Sec-Fetch-Site", "cross-site").with("Origin", "https://evil.example"),
		cookie.with("Sec-Fetch-Site", "cross-site"), // an image, or a form
		cookie.with("Sec-Fetch-Site", "same-site").with("Origin", "https://other."+host),
		cookie.with("Origin", "https://evil.example"),
		cookie.with("Origin", "null"),
	} {
		page.get(rows).refused(http.StatusUnauthorized, "")
		page.post("/v1/shapes/documents", `{"limit": 1}`).refused(http.StatusUnauthorized, "")
		page.post("/v1/session", "").refused(http.StatusUnauthorized, "")
	}
	// With "*" any page may call, and none with cookies.
	d.replica(func(c *proxy.Config) { c.CORSOrigins = []string{"*"} })
	cookie.with("Sec-Fetch-Site", "cross-site").with("Origin", "https://app.example").get(rows).refused(http.StatusUnauthorized, "")
}

// Nor where a server in front asks, of whose host nothing is said.
func TestAGatewaysCookieDoesNotCountForOtherPagesInFront(t *testing.T) {
	d := behindAGateway(t)
	cookie := d.anybody().with("Cookie", "CF_Authorization="+d.token("alice", nil))
	for name, tt := range map[string]struct {
		page   reader
		status int
	}{
		"no browser":                        {cookie, http.StatusForbidden}, // as for anybody: the shape has a filter
		"a page that may call":              {cookie.with("Origin", "https://app.example"), http.StatusForbidden},
		"a sandboxed page":                  {cookie.with("Origin", "null"), http.StatusUnauthorized},
		"a page of an older browser":        {cookie.with("Origin", "https://evil.example"), http.StatusUnauthorized},
		"a sandboxed page, and it is known": {cookie.with("Sec-Fetch-Site", "cross-site").with("Origin", "null"), http.StatusUnauthorized},
	} {
		if v := d.handler.Authorize(d.context(), proxy.Forwarded{Method: http.MethodGet, URI: rows, Header: tt.page.header}); v.Status != tt.status {
			t.Errorf("%s gets %d: %s", name, v.Status, v.Body)
		}
	}
}

// A request that waits ends with the gateway's token, as with any other.
func TestAHeldRequestEndsWithTheGatewaysToken(t *testing.T) {
	gateway := func(d *deployment) reader { return d.anybody().with(assertion, d.token("alice", nil)) }
	eachKindOfWaiting(t, "documents", gateway, func(l *heldLog) {
		l.d.clock.pass(2 * time.Hour)
		l.d.exec("UPDATE documents SET title = 'not for alice any more'")
		l.endsWith(http.StatusUnauthorized)
	}, configured(func(c *proxy.Config) { c.TokenSources.Header = assertion }))
}

func TestASourceOfTokensThatIsNoneIsAnErrorAtTheStart(t *testing.T) {
	c := deploy(t).config
	c.Registerer = nil
	for _, s := range []proxy.TokenSources{
		{Header: "Authorization"}, {Header: "cookie"}, {Header: "X Y"}, {Header: "X:"}, {Header: "origin"},
		{Cookie: "shapegate_session"}, {Cookie: "a b"}, {Cookie: "a=b"},
	} {
		c.TokenSources = s
		if _, err := proxy.New(c); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}
