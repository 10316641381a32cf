package grantcache

import "github.com/prometheus/client_golang/prometheus"

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
