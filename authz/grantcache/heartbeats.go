package grantcache

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

// heartbeats writes the heartbeats of one process, as long as the schema has the definition.
type heartbeats struct {
	process   string
	every     time.Duration
	engine    authz.Engine
	freshness *freshness
	failing   prometheus.Gauge
	failures  *failures
	due       chan struct{} // holds one if a heartbeat is due now
}

// hurry has a heartbeat written now.
func (h *heartbeats) hurry() {
	select {
	case h.due <- struct{}{}:
	default:
	}
}

// run writes heartbeats until ctx ends. A write that fails, for whatever reason, is tried
// again: more slowly, and for ever.
func (h *heartbeats) run(ctx context.Context) error {
	failures := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-h.due:
		case <-ctx.Done():
			return nil
		}
		// Also while there is no watch: the newest revision may be so old that SpiceDB does
		// not let it be watched from, and a write makes a newer one.
		if h.write(ctx) {
			failures = 0
			h.failing.Set(0)
		} else {
			failures++
			h.failing.Set(1)
		}
		timer.Reset(h.every << min(failures, 3))
	}
}

// write reports false if it fails.
func (h *heartbeats) write(ctx context.Context) bool {
	n, ok := h.freshness.begin(time.Now())
	if !ok {
		return true
	}
	err := h.engine.Heartbeat(ctx, h.process, n)
	if err == nil || ctx.Err() != nil {
		return true
	}
	h.failures.report("heartbeat "+authz.KindOf(err).String(), slog.LevelError,
		"the heartbeat cannot be written to SpiceDB; while that lasts, every decision asks SpiceDB. If this SpiceDB cannot be written to, remove the definition shapegate_canary from its schema",
		slog.Any("cause", err))
	return false
}
