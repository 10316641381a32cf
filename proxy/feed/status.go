package feed

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status describes a feed for operators. It contains no subject and no id.
type Status struct {
	Name     string // distinguishes the feeds of a shape; changes with a restart
	Shape    string // the name of the shape definition
	Handle   string // of Electric; empty: the feed is starting
	Position string // the offset of the end of the window; empty: the feed is starting

	// Lag is how long Electric has not answered; 0 while it answers.
	Lag      time.Duration
	Failures int // requests to Electric that failed in this time

	Readers     int // requests that use the feed
	Waiting     int // of these, those that wait for a message
	Cohorts     int // groups of readers with equal grants
	WindowBytes int
	AnswerBytes int    // of the shared answers
	Restarts    int    // how often Electric had dropped the log
	Woken       uint64 // how often a reader was woken

	lsn    uint64
	counts counts
}

// Status returns all feeds, ordered by shape.
func (f *Feeds) Status() []Status {
	f.mu.Lock()
	feeds := make([]*Feed, 0, len(f.feeds))
	for _, feed := range f.feeds {
		feeds = append(feeds, feed)
	}
	f.mu.Unlock()
	all := make([]Status, len(feeds))
	for i, feed := range feeds {
		all[i] = feed.status(time.Now())
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Shape, b.Shape), cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func (f *Feed) status(now time.Time) Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Status{
		Name: f.name, Shape: f.shape,
		Readers: f.readers, Waiting: f.waiting, Cohorts: len(f.cohorts),
		WindowBytes: f.window.size, AnswerBytes: f.answers, Restarts: int(f.counts.restarts), Woken: f.counts.woken, //nolint:gosec // it never gets that high
	}
	s.counts = f.counts
	if f.state == following {
		s.Handle = f.handle
		s.Position, s.lsn = f.window.end.String(), f.window.end.LSN()
	}
	if !f.awaySince.IsZero() {
		s.Lag, s.Failures = now.Sub(f.awaySince), f.failures
	}
	return s
}

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
	feeds, readers, waiting, cohorts, window, answers int

	lsn    uint64 // the least, but for those that are starting
	lag    time.Duration
	counts counts
}

func (s *summary) add(t *Status) {
	s.feeds++
	s.readers += t.Readers
	s.waiting += t.Waiting
	s.cohorts += t.Cohorts
	s.window += t.WindowBytes
	s.answers += t.AnswerBytes
	if s.lsn == 0 || t.lsn != 0 && t.lsn < s.lsn {
		s.lsn = t.lsn
	}
	s.lag = max(s.lag, t.Lag)
	s.counts = s.counts.plus(t.counts)
}

// summaries returns the feeds by shape, those that have ended included.
func (f *Feeds) summaries() map[string]*summary {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]*summary)
	of := func(shape string) *summary {
		if all[shape] == nil {
			all[shape] = &summary{}
		}
		return all[shape]
	}
	for shape, c := range f.ended {
		of(shape).counts = c
	}
	now := time.Now()
	for _, feed := range f.feeds {
		s := feed.status(now)
		of(s.Shape).add(&s)
	}
	return all
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	for shape, s := range c.feeds.summaries() {
		gauge := func(d *prometheus.Desc, value float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, shape)
		}
		counter := func(d *prometheus.Desc, value uint64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), shape)
		}
		gauge(feedsDesc, float64(s.feeds))
		gauge(lsnDesc, float64(s.lsn))
		gauge(lagDesc, s.lag.Seconds())
		gauge(readersDesc, float64(s.readers))
		gauge(waitingDesc, float64(s.waiting))
		gauge(cohortsDesc, float64(s.cohorts))
		gauge(windowDesc, float64(s.window))
		gauge(answersDesc, float64(s.answers))
		counter(restartsDesc, s.counts.restarts)
		counter(wokenDesc, s.counts.woken)
	}
}
