package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/shapegate/shapegate/proxy/feed"
)

// Admin serves operators: /metrics, /healthz, /readyz and /explain. It asks for no
// credentials. Each answer is of the moment, and no cache may keep it.
func (g *Gateway) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", g.serveReady)
	mux.Handle("GET /explain", newExplainRoute(g.explainer))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

func (g *Gateway) serveReady(w http.ResponseWriter, r *http.Request) {
	status, body := http.StatusOK, readyBody{Status: "ready", Feeds: feedBodies(g.proxy.Feeds())}
	if err := g.Ready(r.Context()); err != nil {
		g.log.Warn("not ready", "cause", err)
		status, body.Status, body.Reasons = http.StatusServiceUnavailable, "not ready", reasons(err)
	} else {
		body.Warnings = g.readiness.warnings(r.Context())
	}
	writeJSON(w, status, body)
}

// readyBody says whether requests can be served, why not, what should be mended, and how
// the feeds are.
type readyBody struct {
	Status   string     `json:"status"`
	Reasons  []string   `json:"reasons,omitempty"`
	Warnings []string   `json:"warnings,omitempty"`
	Feeds    []feedBody `json:"feeds"`
}

// feedBody is feed.Status in JSON.
type feedBody struct {
	Shape       string  `json:"shape"`
	Feed        string  `json:"feed"`
	Position    string  `json:"position"`
	LagSeconds  float64 `json:"lag_seconds"`
	Readers     int     `json:"readers"`
	Waiting     int     `json:"waiting"`
	WindowBytes int     `json:"window_bytes"`
	Restarts    int     `json:"restarts"`
}

func feedBodies(all []feed.Status) []feedBody {
	bodies := make([]feedBody, len(all))
	for i, s := range all {
		bodies[i] = feedBody{s.Shape, s.Name, s.Position, s.Lag.Seconds(), s.Readers, s.Waiting, s.WindowBytes, s.Restarts}
	}
	return bodies
}

// reasons says what keeps the gateway from being ready. The causes of failed calls,
// which may name addresses, are left to the log.
func reasons(err error) []string {
	var all []string
	for _, e := range parts(err) {
		all = append(all, reason(e))
	}
	return all
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
