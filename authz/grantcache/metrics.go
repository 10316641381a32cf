package grantcache

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

// metrics are what the cache counts. They name no subject and no id.
type metrics struct {
	entries          prometheus.Gauge
	sets             prometheus.Gauge
	remembered       prometheus.Gauge
	staleness        prometheus.Gauge
	heartbeatFailing prometheus.Gauge
	lookups          prometheus.Counter
	subjectLookups   prometheus.Counter
	checks           prometheus.Counter
	changes          prometheus.Counter
	watchStarts      prometheus.Counter
	watchBreaks      prometheus.Counter
	unanswerable     *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, isCurrent func() bool) (*metrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		entries:          gauge("shapegate_grant_cache_entries", "Cached lookups and checks that are kept current."),
		sets:             gauge("shapegate_grant_cache_bytes", "Current grant sets and the ids in them, in bytes, about."),
		remembered:       gauge("shapegate_remembered_bytes", "What is remembered of earlier grants, in bytes, about."),
		staleness:        gauge("shapegate_watch_age_seconds", "How long ago the last heartbeat that came back was written; 0 without the heartbeat definition."),
		heartbeatFailing: gauge("shapegate_heartbeat_failing", "1 while the heartbeat cannot be written to SpiceDB."),
		lookups:          counter("shapegate_lookups_total", "LookupResources calls."),
		subjectLookups:   counter("shapegate_subject_lookups_total", "LookupSubjects calls, each for one object that changed for many."),
		checks:           counter("shapegate_check_calls_total", "CheckBulkPermissions calls, up to some hundreds of checks in each."),
		changes:          counter("shapegate_grant_changes_total", "Grant sets that changed."),
		watchStarts:      counter("shapegate_watch_starts_total", "How often the watch began anew, with everything looked up again."),
		watchBreaks:      counter("shapegate_watch_breaks_total", "How often the watch broke; it resumes where it was, if it can."),
		unanswerable: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shapegate_unanswerable_total", Help: "Answers that SpiceDB could not evaluate: a cycle, too many levels, not in the schema.",
		}, []string{"permission"}),
	}
	if r == nil {
		return m, nil
	}
	current := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "shapegate_watch_current",
		Help: "1 while the watch is shown to be current, and 0 while every decision is asked for anew.",
	}, func() float64 {
		if isCurrent() {
			return 1
		}
		return 0
	})
	for _, c := range []prometheus.Collector{
		current, m.entries, m.sets, m.remembered, m.staleness, m.heartbeatFailing, m.lookups, m.subjectLookups,
		m.checks, m.changes, m.watchStarts, m.watchBreaks, m.unanswerable,
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// causes logs one line for each cause of failure and minute.
type causes struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time
}

func (c *causes) report(cause string, level slog.Level, msg string, attrs ...slog.Attr) {
	const most = 100
	now := time.Now()
	c.mu.Lock()
	if last, ok := c.last[cause]; ok && now.Sub(last) < time.Minute {
		c.mu.Unlock()
		return
	}
	if c.last == nil || len(c.last) >= most {
		c.last = make(map[string]time.Time)
	}
	c.last[cause] = now
	c.mu.Unlock()
	c.log.LogAttrs(context.Background(), level, msg, attrs...)
}

// reportUnanswerable counts and logs an answer that SpiceDB could not evaluate.
func (c *Cache) reportUnanswerable(p permissionKey, err error) {
	if err == nil || authz.KindOf(err) == authz.Unavailable {
		return
	}
	name := p.definition + "#" + p.name
	c.metrics.unanswerable.WithLabelValues(name).Inc()
	c.causes.report("unanswerable "+name, slog.LevelError,
		"SpiceDB cannot evaluate a permission, which denies it: look for a cycle or more than 50 levels among its relationships, or a permission that the schema does not have",
		slog.String("permission", name), slog.Any("cause", err))
}
