package proxy_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/proxy"
)

// sessionBody is an answer about a session.
type sessionBody struct {
	Subject string
	Expires time.Time `json:"expires_at"`
	Token   string
}

func (a *answer) session() (s sessionBody) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, &s); err != nil {
		a.t.Fatalf("not a session: %s", a.body)
	}
	return s
}

func (a *answer) cookie() *http.Cookie {
	a.t.Helper()
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) != 1 {
		a.t.Fatalf("%d cookies, want 1: %v", len(cookies), a.header)
	}
	return cookies[0]
}

// login makes a session and returns its cookie, as a browser sends it.
func (r reader) login() string {
	r.d.t.Helper()
	c := r.post("/v1/session", "").is(http.StatusCreated).cookie()
	return c.Name + "=" + c.Value
}

func TestASessionIsHadForAToken(t *testing.T) {
	d := deploy(t)
	a := d.as("alice").post("/v1/session", "").is(http.StatusCreated)
	made, cookie := a.session(), a.cookie()
	if made.Subject != "user:alice" || made.Token == "" || made.Token != cookie.Value {
		t.Errorf("session %+v, cookie %v", made, cookie)
	}
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("cookie %v", cookie)
	}
	if got := time.Until(made.Expires); got > sessionTTL || got < sessionTTL-time.Minute {
		t.Errorf("it lasts for %v", got)
	}
	if cookie.MaxAge <= 0 || cookie.MaxAge > int(sessionTTL/time.Second) {
		t.Errorf("its cookie lasts for %d s", cookie.MaxAge)
	}
	if got := a.header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("Cache-Control: %s", got)
	}

	shown := d.anybody().with("Cookie", "shapegate_session="+made.Token).get("/v1/session").is(http.StatusOK).session()
	if shown.Subject != "user:alice" || !shown.Expires.Equal(made.Expires) || shown.Token != "" {
		t.Errorf("it is shown as %+v", shown)
	}
}

func TestASessionNeverOutlivesItsToken(t *testing.T) {
	d := deploy(t)
	expires := d.clock.Now().Add(time.Minute).Truncate(time.Second)
	brief := d.asClaiming("alice", jwt.MapClaims{"exp": expires.Unix()})
	a := brief.post("/v1/session", "").is(http.StatusCreated)
	if got := a.session().Expires; got.After(expires) {
		t.Errorf("until %v, the token until %v", got, expires)
	}
	session := d.anybody().with("Authorization", "Bearer "+a.session().Token)
	session.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	d.clock.pass(time.Minute)
	session.get("/v1/shapes/documents?offset=-1").refused(http.StatusUnauthorized, "")
	session.get("/v1/session").refused(http.StatusUnauthorized, "")
}

func TestASessionMakesNoSession(t *testing.T) {
	d := deploy(t)
	a := d.as("alice").post("/v1/session", "").is(http.StatusCreated)
	d.anybody().with("Cookie", "shapegate_session="+a.session().Token).post("/v1/session", "").refused(http.StatusUnauthorized, "")
	d.anybody().with("Authorization", "Bearer "+a.session().Token).post("/v1/session", "").refused(http.StatusUnauthorized, "")
	d.anybody().post("/v1/session", "").refused(http.StatusUnauthorized, "")
}

func TestASessionOpensWhatItsSubjectMaySee(t *testing.T) {
	d := deploy(t)
	cookie := d.anybody().with("Cookie", d.as("alice").login())
	first := cookie.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	// The same person by other credentials goes on with the same handle.
	d.as("alice").get("/v1/shapes/documents?" + first.onward()).says("up-to-date")
}

func TestADeletedSessionIsGone(t *testing.T) {
	d := deploy(t)
	cookie := d.anybody().with("Cookie", d.as("alice").login())
	gone := cookie.do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent).cookie()
	if gone.Value != "" || gone.MaxAge >= 0 || !gone.HttpOnly || !gone.Secure {
		t.Errorf("the cookie is replaced by %v", gone)
	}
	cookie.get("/v1/shapes/documents?offset=-1").refused(http.StatusUnauthorized, "")
	cookie.get("/v1/session").refused(http.StatusUnauthorized, "")
	cookie.do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent)
	d.as("alice").do(http.MethodDelete, "/v1/session", "").refused(http.StatusUnauthorized, "")
	if keys := d.redis.Keys(); len(keys) > 0 {
		t.Errorf("Redis still holds %q", keys)
	}
}

func TestAnAuthorizationHeaderWinsOverACookie(t *testing.T) {
	d := deploy(t)
	cookie := d.as("alice").login()
	d.as("bob").with("Cookie", cookie).get("/v1/shapes/documents?offset=-1").holds("d3")
	for _, header := range []string{"Bearer nonsense", "Basic YWxpY2U6", "Bearer", ""} {
		d.anybody().with("Cookie", cookie).with("Authorization", header).
			get("/v1/shapes/documents?offset=-1").refused(http.StatusUnauthorized, "")
	}
}

func TestRedisHoldsNothingThatOpensASession(t *testing.T) {
	d := deploy(t)
	token := d.as("alice").post("/v1/session", "").is(http.StatusCreated).session().Token
	d.as("alice").get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	if dump := d.redis.Dump(); strings.Contains(dump, strings.TrimPrefix(token, "sgs_")) {
		t.Error("Redis holds the token")
	}
	keys := d.redis.Keys() // the session, and the list of alice's sessions
	if len(keys) != 2 {
		t.Errorf("Redis holds %q", keys)
	}
	for _, key := range keys {
		if d.redis.TTL(key) <= 0 || d.redis.TTL(key) > sessionTTL {
			t.Errorf("Redis keeps %s for %v", key, d.redis.TTL(key))
		}
	}
}

func TestWithoutSessionsThereAreNone(t *testing.T) {
	d := deploy(t)
	cookie := d.as("alice").login()
	d.replica(func(c *proxy.Config) { c.Sessions = nil })
	d.as("alice").post("/v1/session", "").refused(http.StatusNotFound, "")
	d.anybody().with("Cookie", cookie).get("/v1/shapes/documents?offset=-1").refused(http.StatusUnauthorized, "")
	d.as("alice").get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
}

func TestTheCookieIsAsItIsConfigured(t *testing.T) {
	for _, tt := range []struct {
		cookie proxy.Cookie
		want   http.SameSite
	}{
		{proxy.Cookie{}, http.SameSiteLaxMode},
		{proxy.Cookie{SameSite: http.SameSiteDefaultMode}, http.SameSiteLaxMode},
		{proxy.Cookie{SameSite: http.SameSiteStrictMode, Insecure: true}, http.SameSiteStrictMode},
		{proxy.Cookie{SameSite: http.SameSiteNoneMode}, http.SameSiteNoneMode},
	} {
		d := deploy(t, configured(func(c *proxy.Config) { c.Cookie = tt.cookie }))
		a := d.as("alice").post("/v1/session", "").is(http.StatusCreated)
		gone := d.anybody().with("Cookie", "shapegate_session="+a.session().Token).do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent)
		// A browser deletes a cookie only by one with the same attributes.
		for _, cookie := range []*http.Cookie{a.cookie(), gone.cookie()} {
			if cookie.SameSite != tt.want || cookie.Secure == tt.cookie.Insecure || !cookie.HttpOnly {
				t.Errorf("%+v: the cookie is %v", tt.cookie, cookie)
			}
		}
	}
	c := deploy(t).config
	c.Registerer, c.Cookie = nil, proxy.Cookie{SameSite: http.SameSiteNoneMode, Insecure: true}
	if _, err := proxy.New(c); err == nil {
		t.Error("a cookie that no browser takes is taken")
	}
}

func TestClaimsThatASessionCannotHoldAreABadRequest(t *testing.T) {
	d := deploy(t)
	// The store's JSON writes < as six characters, and so holds more than the token.
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(`{"alg":"HS256"}`)) + "." +
		part(fmt.Appendf(nil, `{"sub":"alice","exp":%d,"x":%q}`, d.clock.Now().Add(time.Hour).Unix(), strings.Repeat("<", 4000)))
	signature, err := jwt.SigningMethodHS256.Sign(signed, jwtSecret)
	d.check(err)
	alice := d.anybody().with("Authorization", "Bearer "+signed+"."+part(signature))
	alice.get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
	alice.post("/v1/session", "").refused(http.StatusBadRequest, "authorization")
}
