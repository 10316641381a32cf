package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

// deciding answers each question with an error.
type deciding struct {
	authz.Subscription
	err error
}

func (d deciding) Decide(context.Context, authz.Consistency, authz.ZedToken) (authz.Decision, error) {
	return authz.Decision{}, d.err
}

// An alert looks at the failed ones: no client must be able to sound it by what it sends or
// by going away.
func TestADecisionFailsWhereSpiceDBDoes(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	failure := func(kind authz.Kind) error { return authz.E(kind, "decide", nil) }
	for _, test := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), nil, "permitted"},
		{t.Context(), failure(authz.Denied), "denied"},
		{t.Context(), failure(authz.Unanswerable), "denied"},
		{t.Context(), failure(authz.Unavailable), "failed"},
		{t.Context(), failure(authz.Internal), "failed"},
		{late, failure(authz.Unavailable), "failed"},
		{gone, failure(authz.Unavailable), ""},
		{gone, gone.Err(), ""},
		{t.Context(), fmt.Errorf("%w: %w", authz.ErrFreshness, failure(authz.Invalid)), ""},
	} {
		counted := newDecisions()
		a := &access{sub: deciding{err: test.err}, decisions: &counted}
		_, _ = a.decide(test.ctx)
		if got := outcome(t, counted.all); got != test.want {
			t.Errorf("%v: counted as %q, want %q", test.err, got, test.want)
		}
	}
}

// Only a request for a shape counts as one: the key table of another has no meaning.
func TestErrorsAreCountedForTheShapeThatWasAskedFor(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	m := &middleware{names: map[string]bool{"documents": true}}
	for path, want := range map[string]string{
		"/v1/shapes/documents": "documents", "/v1/shape?table=documents": "documents", "/v1/shapes/documents?table=made-up": "documents",
		"/v1/shapes/made-up?table=documents": "", "/v1/shape?table=made-up": "", "/v1/shape": "",
		"/v1/session?table=documents": "", "/nowhere?table=documents": "",
	} {
		got, e := "none", gin.New()
		note := func(c *gin.Context) { got = m.shapeOf(c) }
		for _, route := range []string{"/v1/shapes/:name", "/v1/shape", "/v1/session"} {
			e.GET(route, note)
		}
		e.NoRoute(note)
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, http.NoBody))
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// outcome is the label of what was counted; empty if nothing was.
func outcome(t *testing.T, c prometheus.Collector) (label string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetHistogram().GetSampleCount() > 0 {
				label += m.GetLabel()[0].GetValue()
			}
		}
	}
	return label
}
