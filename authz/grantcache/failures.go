package grantcache

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

// failures logs one line for each cause of failure and minute. No line names a subject or
// an id.
type failures struct {
	log          *slog.Logger
	unanswerable *prometheus.CounterVec // by permission

	mu   sync.Mutex
	last map[string]time.Time // of each cause
}

func (f *failures) report(cause string, level slog.Level, msg string, attrs ...slog.Attr) {
	if f.isDue(cause, time.Now()) {
		f.log.LogAttrs(context.Background(), level, msg, attrs...)
	}
}

// isDue reports whether a cause was not reported in the last minute, and notes that it is.
func (f *failures) isDue(cause string, now time.Time) bool {
	const most = 100
	f.mu.Lock()
	defer f.mu.Unlock()
	if last, ok := f.last[cause]; ok && now.Sub(last) < time.Minute {
		return false
	}
	if f.last == nil || len(f.last) >= most {
		f.last = make(map[string]time.Time)
	}
	f.last[cause] = now
	return true
}

// reportUnanswerable counts and logs an answer that SpiceDB could not evaluate. Other
// errors, and none, are left to the caller.
func (f *failures) reportUnanswerable(p permissionKey, err error) {
	if err == nil || authz.KindOf(err) == authz.Unavailable {
		return
	}
	name := p.String()
	f.unanswerable.WithLabelValues(name).Inc()
	f.report("unanswerable "+name, slog.LevelError,
		"SpiceDB cannot evaluate a permission, which denies it: look for a cycle or more than 50 levels among its relationships, or a permission that the schema does not have",
		slog.String("permission", name), slog.Any("cause", err))
}
