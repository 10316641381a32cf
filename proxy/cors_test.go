package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy"
)

func origins(list ...string) option {
	return configured(func(c *proxy.Config) { c.CORSOrigins = list })
}

func TestNamedOriginsMayCallWithCredentials(t *testing.T) {
	d := deploy(t, origins("https://app.example", "http://localhost:3000"))
	for _, origin := range []string{"https://app.example", "http://localhost:3000"} {
		a := d.as("alice").with("Origin", origin).get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
		if a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: headers %v", origin, a.header)
		}
	}
	for _, origin := range []string{"https://evil.example", "https://app.example.evil", "http://app.example", "null", "https://app.example:443"} {
		a := d.as("alice").with("Origin", origin).get("/v1/shapes/documents?offset=-1")
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s gets %s: %s", origin, name, a.header.Get(name))
			}
		}
	}
}

func TestAnyOriginMayCallWithoutCookies(t *testing.T) {
	d := deploy(t, origins("*"))
	a := d.as("alice").with("Origin", "https://anywhere.example").get("/v1/shapes/documents?offset=-1")
	if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("headers %v", a.header)
	}
}

// The package that answers takes an empty list for all origins.
func TestWithoutOriginsNoOtherMayCall(t *testing.T) {
	d := deploy(t)
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		a := d.as("alice").with("Origin", "https://anywhere.example").with("Access-Control-Request-Method", "GET").
			do(method, "/v1/shapes/documents?offset=-1", "")
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s: %s", method, name, a.header.Get(name))
			}
		}
	}
}

func TestScriptsMayReadWhatTheClientNeeds(t *testing.T) {
	d := deploy(t, origins("https://app.example"))
	page := d.as("alice").with("Origin", "https://app.example")
	for what, a := range map[string]*answer{
		"an answer":    page.get("/v1/shapes/documents?offset=-1"),
		"a refetch":    page.get("/v1/shapes/documents?offset=0_0&handle=1-1"),
		"a refusal":    page.get("/v1/shapes/documents?offset=x"),
		"no such path": page.get("/v1/nowhere"),
		"no token":     d.anybody().with("Origin", "https://app.example").get("/v1/shapes/documents?offset=-1"),
	} {
		exposed := strings.ToLower(a.header.Get("Access-Control-Expose-Headers"))
		for _, name := range []string{
			"electric-handle", "electric-offset", "electric-schema", "electric-cursor", "electric-up-to-date",
			"electric-has-data", "electric-snapshot", "retry-after",
		} {
			if !strings.Contains(exposed, name) {
				t.Errorf("%s: scripts may not read %s (%s)", what, name, exposed)
			}
		}
	}
}

func TestAPreflightNeedsNoCredentials(t *testing.T) {
	d := deploy(t, origins("https://app.example"))
	page := d.anybody().with("Origin", "https://app.example").with("Access-Control-Request-Method", "POST").
		with("Access-Control-Request-Headers", "authorization,content-type,traceparent,x-app-version")
	for _, path := range []string{"/v1/shapes/documents", "/v1/shape?table=documents", "/v1/session", "/v1/shapes/payroll"} {
		a := page.do(http.MethodOptions, path, "").is(http.StatusNoContent)
		allowed := strings.ToLower(a.header.Get("Access-Control-Allow-Headers"))
		if a.header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
			!strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "POST") ||
			allowed != "authorization,content-type,traceparent,x-app-version" ||
			a.header.Get("Access-Control-Max-Age") == "" || len(a.body) > 0 {
			t.Errorf("%s: headers %v", path, a.header)
		}
	}
	for _, evil := range []reader{
		d.anybody().with("Origin", "https://evil.example"),
		d.anybody().with("Origin", "https://evil.example").with("Access-Control-Request-Method", "POST").with("Access-Control-Request-Headers", "authorization"),
		d.anybody().with("Origin", "HTTPS://APP.EXAMPLE").with("Access-Control-Request-Method", "POST"),
		d.anybody().with("Origin", "https://app.example").with("Access-Control-Request-Method", "PUT"),
	} {
		a := evil.do(http.MethodOptions, "/v1/shapes/documents", "").is(http.StatusNoContent)
		for _, name := range []string{"Methods", "Headers", "Credentials"} {
			if got := a.header.Get("Access-Control-Allow-" + name); got != "" && name != "Credentials" {
				t.Errorf("%v is allowed the %s %s", evil.header, name, got)
			}
		}
	}
	if vary := page.do(http.MethodOptions, "/v1/session", "").header.Values("Vary"); len(vary) != 1 {
		t.Errorf("Vary: %q", vary)
	}
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
}

func TestAMalformedOriginIsAnErrorAtTheStart(t *testing.T) {
	d := deploy(t)
	for _, list := range [][]string{{"app.example"}, {"https://app.example/"}, {"https://app.example/path"}, {"*", "https://app.example"}, {"null"}, {""}} {
		c := d.config
		c.CORSOrigins, c.Registerer = list, nil
		if _, err := proxy.New(c); err == nil {
			t.Errorf("%q is taken", list)
		}
	}
}
