package grantcache

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the cache counts. They name no subject and no id.
type metrics struct {
	entries          prometheus.Gauge
	heartbeatFailing prometheus.Gauge
	lookups          prometheus.Counter
	subjectLookups   prometheus.Counter
	checks           prometheus.Counter
	changes          prometheus.Counter
	watchStarts      prometheus.Counter
	watchBreaks      prometheus.Counter
	unanswerable     *prometheus.CounterVec
}

func newMetrics() *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &metrics{
		entries:          gauge("shapegate_grant_cache_entries", "Cached lookups and checks that are kept current."),
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
}

// state is what the cache is like at a moment: gauges that are read when they are asked for.
type state struct {
	freshness  *freshness
	space      *space
	remembered *remembered
	losses     *losses
}

// register exports the metrics. Without a registerer nothing is exported.
func (m *metrics) register(r prometheus.Registerer, s state) error {
	if r == nil {
		return nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	for _, c := range []prometheus.Collector{
		gauge("shapegate_watch_current", "1 while the watch is shown to be current, and 0 while every decision is asked for anew.", func() float64 {
			if s.freshness.isCurrent(time.Now()) {
				return 1
			}
			return 0
		}),
		gauge("shapegate_watch_age_seconds", "How long ago the last heartbeat that came back was written; 0 without the heartbeat definition.",
			func() float64 { return s.freshness.age(time.Now()).Seconds() }),
		gauge("shapegate_grant_cache_bytes", "Current grant sets and the ids in them, in bytes, about.",
			func() float64 { return float64(s.space.size()) }),
		gauge("shapegate_remembered_bytes", "What is remembered of earlier grants, in bytes, about.",
			func() float64 { return float64(s.remembered.size() + s.losses.bytes.Load()) }),
		m.entries, m.heartbeatFailing, m.lookups, m.subjectLookups, m.checks, m.changes, m.watchStarts, m.watchBreaks, m.unanswerable,
	} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
