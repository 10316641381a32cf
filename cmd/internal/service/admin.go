package service

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/shapegate/shapegate/proxy/feed"
)

// adminRoutes are for operators. They say nothing of people or rows, but their
// listener is still not one for the public.
func (s *Service) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status, is := http.StatusOK, "ready"
		if err := s.Ready(r.Context()); err != nil {
			s.log.Warn("not ready", "cause", err)
			status, is = http.StatusServiceUnavailable, "not ready"
		}
		writeJSON(w, status, readyBody{is, feedBodies(s.handler.Feeds())})
	})
	return mux
}

// readyBody says whether requests can be served, and how the feeds are.
type readyBody struct {
	Status string     `json:"status"`
	Feeds  []feedBody `json:"feeds"`
}

// feedBody is feed.Status as JSON has it.
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
