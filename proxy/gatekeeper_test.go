package proxy_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz/shapetoken"
	"github.com/shapegate/shapegate/proxy"
)

// newKeys makes a key that tokens for shapes are signed with.
func newKeys(t *testing.T) *shapetoken.KeySet {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := shapetoken.ParseKeys(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// offer is what the gatekeeper answers: the options of a ShapeStream.
type offer struct {
	URL     string
	Headers map[string]string
	Params  map[string]any
}

// gets asks the gatekeeper for a shape, as in "documents?columns=id".
func (r reader) gets(shape string) (o offer) {
	r.d.t.Helper()
	a := r.post("/v1/gatekeeper/"+shape, "").is(http.StatusOK)
	r.d.check(json.Unmarshal(a.body, &o))
	return o
}

// bearing is a client that has an offer and no other credentials.
func (d *deployment) bearing(o offer) reader {
	return d.anybody().with("Authorization", o.Headers["Authorization"])
}

// path is where a ShapeStream with these options reads.
func (o offer) path(further string) string {
	q := url.Values{}
	for name, v := range o.Params {
		switch v := v.(type) {
		case string:
			q.Set(name, v)
		case []any:
			var quoted []string
			for _, column := range v {
				quoted = append(quoted, fmt.Sprintf("%q", column))
			}
			q.Set(name, strings.Join(quoted, ","))
		case map[string]any:
			for n, value := range v {
				q.Set(name+"["+n+"]", fmt.Sprint(value))
			}
		}
	}
	return "/v1/shape?" + q.Encode() + "&" + further
}

func TestATokenOfTheGatekeeperReadsItsShape(t *testing.T) {
	for shape, want := range map[string][]string{
		"documents":                                {"d1", "d2"},
		"documents?columns=title,id":               {"d1", "d2"},
		"documents?columns=id,project,title":       {"d1", "d2"}, // all that there are
		"project_tasks?project=p1":                 {"a1", "a4"},
		"project_tasks?project=p1&columns=id":      {"a1", "a4"},
		"documents?table=ignored":                  {"d1", "d2"},
		"documents?where=title%3D$1&params[1]=two": {"d2"},
		// A where with an OR at its top is printed with more around it.
		"documents?where=title%3D'one'%20OR%20title%3D'three'": {"d1"},
	} {
		t.Run(shape, func(t *testing.T) {
			d := deploy(t)
			o := d.as("alice").gets(shape)
			who := d.bearing(o)
			first := who.get(o.path("offset=-1")).holds(want...)
			who.get(o.path(first.onward())).says("up-to-date")
			// At the shape's own path it is the same token for the same shape.
			_, query, _ := strings.Cut(o.path("offset=-1"), "?")
			name, _, _ := strings.Cut(shape, "?")
			who.get("/v1/shapes/" + name + "?" + query).holds(want...)
		})
	}
}

func TestATokenOfTheGatekeeperReadsSubsetsOfItsShape(t *testing.T) {
	d := deploy(t)
	o := d.as("alice").gets("documents?columns=id,title")
	who := d.bearing(o)
	who.post(o.path(""), `{"where":"title = $1","params":{"1":"two"}}`).holds("d2")
	who.get(o.path("subset__where=" + url.QueryEscape("title = 'one'"))).holds("d1")
	// The body's keys are those of a subset: none of them makes it another shape.
	who.post(o.path(""), `{"table":"notes","columns":["project"],"where":"true"}`).holds("d1", "d2")
	who.post(o.path(""), `{"where":"project = 'p1'"}`).refused(http.StatusBadRequest, "where")
}

func TestTheOfferHasThePublicAddress(t *testing.T) {
	d := deploy(t)
	if o := d.as("alice").gets("documents"); o.URL != d.url+"/v1/shape" {
		t.Errorf("without a setting: %s, want that of %s", o.URL, d.url)
	}
	// What a proxy in front may say is not believed.
	forwarded := d.as("alice").with("X-Forwarded-Host", "evil.example").with("X-Forwarded-Proto", "https").with("Forwarded", "host=evil.example")
	if o := forwarded.gets("documents"); o.URL != d.url+"/v1/shape" {
		t.Errorf("with forwarded headers: %s", o.URL)
	}
	d.replica(func(c *proxy.Config) { c.PublicURL = "https://sync.example.com/electric" })
	if o := d.as("alice").gets("documents"); o.URL != "https://sync.example.com/electric/v1/shape" {
		t.Errorf("with the setting: %s", o.URL)
	}
}

func TestAHostThatIsNoneIsRefused(t *testing.T) {
	d := deploy(t)
	for _, host := range []string{"evil.example:x", "[::1", "evil%zz.example", "evil%2f.example"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/v1/gatekeeper/documents", nil)
		d.check(err)
		req.Host = host
		req.Header = d.as("alice").header
		d.anybody().answer(d.client.Do(req)).refused(http.StatusBadRequest, "host")
	}
}

func TestTheGatekeeperDecidesAsAReadDoes(t *testing.T) {
	d := deploy(t)
	for _, c := range []struct {
		who    reader
		shape  string
		status int
		field  string
	}{
		{d.anybody(), "documents", http.StatusUnauthorized, ""},
		{d.anybody().with("Authorization", "Bearer x"), "documents", http.StatusUnauthorized, ""},
		{d.as("mallory"), "office", http.StatusForbidden, ""},
		{d.as("alice"), "project_tasks?project=p2", http.StatusForbidden, ""},
		{d.as("alice"), "project_tasks", http.StatusBadRequest, "project"},
		{d.as("alice"), "project_tasks?project=p1&project=p2", http.StatusBadRequest, "project"},
		{d.as("alice"), "payroll", http.StatusNotFound, "table"},
		{d.as("alice"), "documents?columns=id,secret", http.StatusBadRequest, "columns"},
		{d.as("alice"), "documents?columns=title", http.StatusBadRequest, "columns"},
		{d.as("alice"), "documents?where=secret%3D'x'", http.StatusBadRequest, "where"},
		{d.as("alice"), "documents?params[1]=x", http.StatusBadRequest, "params"},
		{d.as("alice"), "documents?colour=red", http.StatusBadRequest, "colour"},
		// What says where a client is in its log is no part of the shape.
		{d.as("alice"), "documents?offset=-1", http.StatusBadRequest, "offset"},
		{d.as("alice"), "documents?replica=full", http.StatusBadRequest, "replica"},
		{d.as("alice"), "documents?subset__where=true", http.StatusBadRequest, "subset__where"},
	} {
		c.who.post("/v1/gatekeeper/"+c.shape, "").refused(c.status, c.field)
	}
	d.as("alice").post("/v1/gatekeeper/documents", `{"columns":["id"]}`).refused(http.StatusBadRequest, "body")
}

func TestATokenIsForExactlyItsShape(t *testing.T) {
	d := deploy(t)
	d.grant("project:p2#viewer@user:alice")
	alice := d.as("alice")
	whole, some := alice.gets("documents"), alice.gets("documents?columns=id,title")
	p1, ones := alice.gets("project_tasks?project=p1"), alice.gets("documents?where=title%3D'one'")
	for _, c := range []struct {
		name, path, field string
		token             offer
	}{
		{"another definition", "/v1/shape?table=notes&offset=-1", "table", whole},
		{"another definition, by its path", "/v1/shapes/notes?offset=-1", "table", whole},
		{"its name in the query of another one's path", "/v1/shapes/notes?table=documents&offset=-1", "table", whole},
		{"one that there is not", "/v1/shape?table=payroll&offset=-1", "table", whole},
		{"none", "/v1/shape?offset=-1", "table", whole},
		{"another value of a param", "/v1/shape?table=project_tasks&project=p2&offset=-1", "project", p1},
		{"another value of a param, in a subset", "/v1/shape?table=project_tasks&project=p2&subset__where=true", "project", p1},
		{"fewer columns", "/v1/shape?table=documents&columns=id&offset=-1", "columns", whole},
		{"other columns", "/v1/shape?table=documents&columns=id,project&offset=-1", "columns", some},
		{"all columns", "/v1/shape?table=documents&offset=-1", "columns", some},
		{"all columns, in a subset", "/v1/shape?table=documents&subset__where=true", "columns", some},
		{"a where", "/v1/shape?table=documents&where=title%3D'one'&offset=-1", "where", whole},
		{"another where", "/v1/shape?table=documents&where=title%3D'two'&offset=-1", "where", ones},
		{"without its where", "/v1/shape?table=documents&offset=-1", "where", ones},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.bearing(c.token).get(c.path).refused(http.StatusForbidden, c.field)
		})
	}
}

func TestATokenIsGoodForNothingButReading(t *testing.T) {
	d := deploy(t)
	who := d.bearing(d.as("alice").gets("documents"))
	for method, path := range map[string]string{
		http.MethodPost: "/v1/session", http.MethodGet: "/v1/session", http.MethodDelete: "/v1/session",
	} {
		who.do(method, path, "").refused(http.StatusUnauthorized, "")
	}
	who.post("/v1/gatekeeper/documents", "").refused(http.StatusUnauthorized, "")
	// As a cookie it is no session.
	token := strings.TrimPrefix(who.header.Get("Authorization"), "Bearer ")
	d.anybody().with("Cookie", "shapegate_session="+token).get("/v1/shapes/documents?offset=-1").refused(http.StatusUnauthorized, "")
	// Where there is no gatekeeper, nobody knows it.
	d.replica(func(c *proxy.Config) { c.ShapeTokens = nil })
	who.get("/v1/shapes/documents?offset=-1").refused(http.StatusUnauthorized, "")
}

func TestATokenWhoseAccessIsRevokedIsForbiddenAtOnce(t *testing.T) {
	d := deploy(t)
	o := d.as("alice").gets("office")
	who := d.bearing(o)
	first := who.get(o.path("offset=-1")).holds("d1", "d2")
	d.revoke(sees("alice", "d1"))
	who.get(o.path(first.onward())).says("delete d1", "up-to-date")
	d.revoke("workspace:main#member@user:alice")
	for _, read := range []string{"offset=-1", "offset=now", "subset__where=true", first.onward(), "live=true&" + first.onward()} {
		who.get(o.path(read)).refused(http.StatusForbidden, "")
	}
	d.grant("workspace:main#member@user:alice")
	who.get(o.path("offset=-1")).holds("d2")
}

func TestATokenEndsWithItsLifeAndWithTheCredentialsThatBoughtIt(t *testing.T) {
	d := deploy(t)
	const path = "/v1/shape?table=documents&offset=-1"
	soon := jwt.MapClaims{"exp": d.clock.Now().Add(time.Minute).Unix()}
	whole := d.bearing(d.as("alice").gets("documents"))
	short := d.bearing(d.asClaiming("alice", soon).gets("documents"))
	bySession := d.bearing(d.anybody().with("Cookie", d.asClaiming("alice", soon).login()).gets("documents"))
	for _, who := range []reader{whole, short, bySession} {
		who.get(path).holds("d1", "d2")
	}
	d.clock.pass(time.Minute)
	short.get(path).refused(http.StatusUnauthorized, "")
	bySession.get(path).refused(http.StatusUnauthorized, "")
	whole.get(path).holds("d1", "d2")
	d.clock.pass(tokenLife - time.Minute)
	whole.get(path).refused(http.StatusUnauthorized, "")
}

// A person who signs out is signed out everywhere.
func TestATokenEndsWithTheSessionThatBoughtIt(t *testing.T) {
	d := deploy(t)
	byCookie := d.anybody().with("Cookie", d.as("alice").login())
	o := byCookie.gets("documents")
	other := d.anybody().with("Cookie", d.as("alice").login()).gets("documents")
	d.bearing(o).get(o.path("offset=-1")).holds("d1", "d2")
	byCookie.do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent)
	d.bearing(o).get(o.path("offset=-1")).refused(http.StatusUnauthorized, "")
	d.bearing(other).get(other.path("offset=-1")).holds("d1", "d2")
	// Another replica knows it, too.
	d.replica(nil)
	d.bearing(o).get(o.path("offset=-1")).refused(http.StatusUnauthorized, "")
	// What the token says of its session is no session.
	var said struct {
		SID string `json:"sid"`
	}
	d.check(json.Unmarshal([]byte(payloadOf(t, other)), &said))
	for _, who := range []reader{d.anybody().with("Cookie", "shapegate_session="+said.SID), d.anybody().with("Authorization", "Bearer "+said.SID)} {
		if said.SID == "" {
			t.Fatal("the token names no session")
		}
		who.get(o.path("offset=-1")).refused(http.StatusUnauthorized, "")
	}
	d.replica(func(c *proxy.Config) { c.Sessions = nil })
	d.bearing(other).get(other.path("offset=-1")).refused(http.StatusUnauthorized, "")
}

func TestASilentHeldRequestOfAShapeTokenEndsWithItsSession(t *testing.T) {
	var session reader
	byCookie := func(d *deployment) reader {
		session = d.anybody().with("Cookie", d.as("alice").login())
		return d.bearing(session.gets("documents"))
	}
	eachKindOfWaiting(t, "documents", byCookie, func(l *heldLog) {
		session.do(http.MethodDelete, "/v1/session", "").is(http.StatusNoContent)
		l.endsWith(http.StatusUnauthorized)
	}, configured(func(c *proxy.Config) { c.LongPollTimeout, c.StreamTimeout = time.Hour, time.Hour }))
}

// bought is a client with a token for a shape.
func bought(shape string) func(d *deployment) reader {
	return func(d *deployment) reader { return d.bearing(d.as("alice").gets(shape)) }
}

func TestAHeldRequestEndsWithItsShapeToken(t *testing.T) {
	eachKindOfWaiting(t, "documents", bought("documents"), func(l *heldLog) {
		l.d.clock.pass(tokenLife)
		l.d.exec("UPDATE documents SET title = 'not for alice any more'")
		l.endsWith(http.StatusUnauthorized)
	})
}

func TestASilentHeldRequestEndsWithItsShapeToken(t *testing.T) {
	eachKindOfWaiting(t, "documents", bought("documents"), func(l *heldLog) {
		l.endsWith(http.StatusUnauthorized)
	}, configured(func(c *proxy.Config) { c.LongPollTimeout, c.StreamTimeout = time.Hour, time.Hour }), brief(t))
}

// brief has tokens for shapes last for two seconds of the real time.
func brief(t *testing.T) option {
	t.Helper()
	tokens := shapetoken.New(shapetoken.Config{Keys: newKeys(t), Life: 2 * time.Second})
	return configured(func(c *proxy.Config) { c.ShapeTokens = tokens })
}

func TestAHeldRequestOfAShapeTokenEndsWhenTheGateIsLost(t *testing.T) {
	eachKindOfWaiting(t, "office", bought("office"), func(l *heldLog) {
		l.d.revoke("workspace:main#member@user:alice")
		l.endsWith(http.StatusForbidden)
	})
}

// keyring is a source of keys that a test changes.
type keyring struct{ keys *shapetoken.KeySet }

func (k *keyring) Keys() *shapetoken.KeySet { return k.keys }

func TestATokenOfARemovedKeyIsRefusedAtOnce(t *testing.T) {
	d := deploy(t)
	ring := &keyring{newKeys(t)}
	d.replica(func(c *proxy.Config) { c.ShapeTokens = shapetoken.New(shapetoken.Config{Keys: ring, Now: d.clock.Now}) })
	o := d.as("alice").gets("documents")
	d.bearing(o).get(o.path("offset=-1")).holds("d1", "d2")
	ring.keys = newKeys(t)
	d.bearing(o).get(o.path("offset=-1")).refused(http.StatusUnauthorized, "")
	o = d.as("alice").gets("documents")
	d.bearing(o).get(o.path("offset=-1")).holds("d1", "d2")
}

func TestTheBearerIsDecidedAsTheOneWhoBoughtTheToken(t *testing.T) {
	d := deploy(t, granting("document:"+full("d4")+`#viewer@user:dora[cleared:{"needed":3}]`))
	claims := jwt.MapClaims{"clearance": 3, "email": "dora@example.com"}
	o := d.asClaiming("dora", claims).gets("cleared")
	d.bearing(o).get(o.path("offset=-1")).holds("d4")
	if said := payloadOf(t, o); strings.Contains(said, "example.com") || !strings.Contains(said, `"clearance":3`) {
		t.Errorf("the token says %s", said)
	}
	o = d.asClaiming("dora", jwt.MapClaims{"clearance": 2}).gets("cleared")
	d.bearing(o).get(o.path("offset=-1")).holds()
	// A claim that the shape does not ask for is in no token.
	if said := payloadOf(t, d.asClaiming("alice", claims).gets("documents")); strings.Contains(said, "clearance") {
		t.Errorf("the token says %s", said)
	}
}

func payloadOf(t *testing.T, o offer) string {
	t.Helper()
	parts := strings.Split(o.Headers["Authorization"], ".")
	text, err := jwt.NewParser().DecodeSegment(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestATokenIsAsFreshAsItsPurchase(t *testing.T) {
	d := deploy(t)
	token := d.write(sees("alice", "d3"))
	o := d.as("alice").with("Shapegate-At-Least-As-Fresh", token).gets("documents")
	d.bearing(o).get(o.path("offset=-1")).holds("d1", "d2", "d3")
	if said := payloadOf(t, o); !strings.Contains(said, token) {
		t.Errorf("the token says %s", said)
	}
}

func TestTheKeysArePublic(t *testing.T) {
	d := deploy(t)
	a := d.anybody().get("/.well-known/jwks.json").is(http.StatusOK)
	if got := a.header.Get("Cache-Control"); got != "public, max-age=60" {
		t.Errorf("Cache-Control: %s", got)
	}
	if want := string(d.config.ShapeTokens.PublicKeys()); string(a.body) != want {
		t.Errorf("published %s, want %s", a.body, want)
	}
}

func TestWithoutKeysThereIsNoGatekeeper(t *testing.T) {
	d := deploy(t)
	d.replica(func(c *proxy.Config) { c.ShapeTokens = nil })
	a := d.as("alice").post("/v1/gatekeeper/documents", "")
	a.refused(http.StatusNotFound, "")
	if !strings.Contains(string(a.body), "SHAPEGATE_GATEKEEPER_KEY_FILE") {
		t.Errorf("answered %s", a.body)
	}
	d.anybody().get("/.well-known/jwks.json").refused(http.StatusNotFound, "")
}
