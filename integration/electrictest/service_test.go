package electrictest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
)

func TestSecretIsAskedForOnEverySpellingOfThePath(t *testing.T) {
	w := newWorld(t, electrictest.Options{Secret: "s"})
	base := strings.TrimSuffix(w.url, "/v1/shape")
	for path, want := range map[string]int{
		"/v1/shape": 401, "/v1//shape": 401, "/v1/shape/": 401, "/v1/%73hape": 401,
		"/v1/shape?secret=x": 401, "/v1/shape?secret=s": 400, "/v1/shape?api_secret=s": 400,
		"/v1/health": 200, "/": 200, "/v1/other": 404,
	} {
		resp, err := w.client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		equal(t, path, resp.StatusCode, want)
	}
}

func TestInterceptedRequestsFailAsTheInterceptorSays(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `insert into notes values (1, 'a', 'x')`)
	failing := func(fault error) reply {
		w.Intercept(func(_ *http.Request, body []byte) error {
			if len(body) == 0 {
				return nil
			}
			return fault
		})
		return w.do(t, http.MethodPost, `{"where":"true"}`, "table", "notes", "offset", "now")
	}
	r := failing(&electrictest.Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}, Body: "busy"})
	equal(t, "answer", []any{r.status, r.header.Get("Retry-After"), r.body}, []any{503, "7", "busy"})
	if r = failing(&electrictest.Fault{}); r.err == nil {
		t.Error("the connection is not closed")
	}
	if r = failing(&electrictest.Fault{CutAfter: 20}); r.err == nil || r.status != 200 || len(r.body) != 20 {
		t.Errorf("%d %q %v, want 20 bytes and an error", r.status, r.body, r.err)
	}
	equal(t, "get", w.get(t, "table", "notes", "offset", "-1").status, 200)
	w.Intercept(nil)
	equal(t, "post", w.do(t, http.MethodPost, `{"where":"true"}`, "table", "notes", "offset", "now").status, 200)
	equal(t, "requests", w.Stats(), electrictest.Stats{Total: 5})
}
