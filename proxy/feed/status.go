package feed

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status is what operators are shown of a feed. It names no subject and no id.
type Status struct {
	Name     string // tells feeds of one shape apart; another after a restart
	Shape    string // the shape definition that it was started for
	Handle   string // Electric's; empty: it is starting
	Position string // the offset that it has come to; empty: it is starting

	// Lag is how long Electric has not answered, and 0 while it does.
	Lag      time.Duration
	Failures int // how many requests to Electric have failed since then

	Readers     int // requests that use it
	Waiting     int // of these, those that wait for something
	Cohorts     int // kinds of readers
	WindowBytes int
	AnswerBytes int    // of the answers that are shared
	Restarts    int    // how often Electric had dropped the log
	Woken       uint64 // how many readers were woken

	lsn uint64
}

// Status returns what there is, in order.
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
		WindowBytes: f.window.size, AnswerBytes: f.answers, Restarts: f.restarts, Woken: f.woken,
	}
	if f.state == following {
		s.Handle = f.handle
		s.Position, s.lsn = f.window.end.String(), f.window.end.LSN()
	}
	if !f.awaySince.IsZero() {
		s.Lag, s.Failures = now.Sub(f.awaySince), f.failures
	}
	return s
}

// collector exports the status of all feeds.
type collector struct{ feeds *Feeds }

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("shapegate_feed_"+name, help, []string{"shape", "feed"}, nil)
}

var (
	lsnDesc      = describe("lsn", "The LSN of Electric's log that a feed has come to.")
	lagDesc      = describe("lag_seconds", "How long Electric has not answered a feed; 0 while it does.")
	readersDesc  = describe("readers", "Requests that use a feed.")
	waitingDesc  = describe("waiting", "Requests that wait for something to come in a feed.")
	cohortsDesc  = describe("cohorts", "How many kinds of readers a feed has, by what they may see.")
	windowDesc   = describe("window_bytes", "How much of its log a feed has in memory.")
	answersDesc  = describe("answer_bytes", "How much a feed has in memory of answers that readers share.")
	restartsDesc = describe("restarts_total", "How often Electric had dropped the log of a feed.")
	wokenDesc    = describe("woken_total", "How many waiting requests a feed has woken for something that may concern them.")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lsnDesc, lagDesc, readersDesc, waitingDesc, cohortsDesc, windowDesc, answersDesc, restartsDesc, wokenDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	for _, s := range c.feeds.Status() {
		gauge := func(d *prometheus.Desc, value float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, s.Shape, s.Name)
		}
		gauge(lsnDesc, float64(s.lsn))
		gauge(lagDesc, s.Lag.Seconds())
		gauge(readersDesc, float64(s.Readers))
		gauge(waitingDesc, float64(s.Waiting))
		gauge(cohortsDesc, float64(s.Cohorts))
		gauge(windowDesc, float64(s.WindowBytes))
		gauge(answersDesc, float64(s.AnswerBytes))
		to <- prometheus.MustNewConstMetric(restartsDesc, prometheus.CounterValue, float64(s.Restarts), s.Shape, s.Name)
		to <- prometheus.MustNewConstMetric(wokenDesc, prometheus.CounterValue, float64(s.Woken), s.Shape, s.Name)
	}
}
