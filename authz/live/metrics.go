package live

import "github.com/prometheus/client_golang/prometheus"

// metrics are what the keeper counts. They name no subject and no id.
type metrics struct {
	holdings    prometheus.Gauge
	remembered  prometheus.Gauge
	staleness   prometheus.Gauge
	lookups     prometheus.Counter
	checks      prometheus.Counter
	changes     prometheus.Counter
	watchStarts prometheus.Counter
	watchBreaks prometheus.Counter
}

func newMetrics(r prometheus.Registerer, isCurrent func() bool) (*metrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		holdings:    gauge("shapegate_kept_answers", "Grant sets and checks that are kept current."),
		remembered:  gauge("shapegate_remembered_bytes", "What is remembered of earlier grants, in bytes, about."),
		staleness:   gauge("shapegate_watch_age_seconds", "How long ago the last canary beat that came back was written; 0 without a canary."),
		lookups:     counter("shapegate_lookups_total", "Calls that looked up all ids that a subject reaches."),
		checks:      counter("shapegate_check_calls_total", "Calls that checked single objects, up to some hundreds in each."),
		changes:     counter("shapegate_grant_changes_total", "Grant sets that changed."),
		watchStarts: counter("shapegate_watch_starts_total", "How often the watch began anew, with everything looked up again."),
		watchBreaks: counter("shapegate_watch_breaks_total", "How often the watch broke; it resumes where it was, if it can."),
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
	for _, c := range []prometheus.Collector{current, m.holdings, m.remembered, m.staleness, m.lookups, m.checks, m.changes, m.watchStarts, m.watchBreaks} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
