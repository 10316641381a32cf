package feed

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector exports the status of all feeds, summed up by shape: a shape with params has
// a feed for each of their values, and feeds come and go.
type collector struct{ feeds *Feeds }

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("shapegate_feed_"+name, help, []string{"shape"}, nil)
}

var (
	feedsDesc    = describe("feeds", "Logs of Electric that are followed.")
	lsnDesc      = describe("lsn", "The least LSN that a feed of the shape has come to.")
	lagDesc      = describe("lag_seconds", "How long Electric has not answered a feed of the shape, the longest; 0 while it does.")
	readersDesc  = describe("readers", "Requests that use a feed of the shape.")
	waitingDesc  = describe("waiting", "Requests that wait for a change in a feed of the shape.")
	cohortsDesc  = describe("cohorts", "Groups of readers with equal grants.")
	windowDesc   = describe("window_bytes", "Memory for the newest part of the logs.")
	answersDesc  = describe("answer_bytes", "Memory for answers that readers share.")
	restartsDesc = describe("restarts_total", "How often Electric had dropped a log of the shape.")
	wokenDesc    = describe("woken_total", "Waiting requests that were woken for a change that may concern them.")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{feedsDesc, lsnDesc, lagDesc, readersDesc, waitingDesc, cohortsDesc, windowDesc, answersDesc, restartsDesc, wokenDesc} {
		to <- d
	}
}

// summary is the feeds of one shape.
type summary struct {
	feeds int
	lsn   uint64        // the least, but for those that are starting
	lag   time.Duration // the longest
	usage Usage
}

func (s *summary) add(t *Status) {
	s.feeds++
	if s.lsn == 0 || t.lsn != 0 && t.lsn < s.lsn {
		s.lsn = t.lsn
	}
	s.lag = max(s.lag, t.Lag)
	s.usage = s.usage.plus(t.Usage)
}

// summaries returns the feeds by shape, those that have ended included.
func (f *Feeds) summaries() map[string]*summary {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]*summary)
	for shape, u := range f.ended {
		all[shape] = &summary{usage: u}
	}
	now := time.Now()
	for _, feed := range f.feeds {
		if all[feed.shape] == nil {
			all[feed.shape] = &summary{}
		}
		s := feed.status(now)
		all[feed.shape].add(&s)
	}
	return all
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	for shape, s := range c.feeds.summaries() {
		gauge := func(d *prometheus.Desc, value float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, shape)
		}
		counter := func(d *prometheus.Desc, value float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, shape)
		}
		gauge(feedsDesc, float64(s.feeds))
		gauge(lsnDesc, float64(s.lsn))
		gauge(lagDesc, s.lag.Seconds())
		gauge(readersDesc, float64(s.usage.Readers))
		gauge(waitingDesc, float64(s.usage.Waiting))
		gauge(cohortsDesc, float64(s.usage.Cohorts))
		gauge(windowDesc, float64(s.usage.WindowBytes))
		gauge(answersDesc, float64(s.usage.AnswerBytes))
		counter(restartsDesc, float64(s.usage.Restarts))
		counter(wokenDesc, float64(s.usage.Woken))
	}
}
