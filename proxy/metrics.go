package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
)

// metrics are what the handler counts. Labels hold shape names, methods and
// status codes: never a subject or an id.
type metrics struct {
	requests     *prometheus.CounterVec
	errors       *prometheus.CounterVec
	decisions    decisions
	resyncs      *prometheus.CounterVec
	held         *prometheus.GaugeVec
	idsLeftOut   *prometheus.CounterVec
	rowsWithheld *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shapegate_requests_total",
			Help: "Answered requests, by route, method and status.",
		}, []string{"route", "method", "status"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shapegate_errors_total",
			Help: "Requests that were answered with an error, by shape and the error member of the answer.",
		}, []string{"shape", "error"}),
		decisions: newDecisions(),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shapegate_resyncs_total",
			Help: "Answers that took a client from its earlier grants to those of now, by shape.",
		}, []string{"shape"}),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "shapegate_held_requests",
			Help: "Long-polls and event streams that are open now, by shape.",
		}, []string{"shape"}),
		idsLeftOut: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shapegate_object_ids_left_out_total",
			Help: "Object ids that the filter's column cannot hold, counted each time they were left out of a subset.",
		}, []string{"shape"}),
		rowsWithheld: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shapegate_rows_withheld_total",
			Help: "Rows that a subset held against its filter. Anything but 0 is a defect.",
		}, []string{"shape"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.errors, m.decisions.all, m.resyncs, m.held, m.idsLeftOut, m.rowsWithheld} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// decisions says how long decisions took. There are two of them or more for each request, so
// the outcomes are looked up once.
type decisions struct {
	all                       *prometheus.HistogramVec
	permitted, denied, failed prometheus.Observer
}

func newDecisions() decisions {
	all := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "shapegate_decision_seconds",
		Help:    "How long a decision took, by outcome: permitted, denied, or failed, where SpiceDB gave no answer.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"outcome"})
	return decisions{all, all.WithLabelValues("permitted"), all.WithLabelValues("denied"), all.WithLabelValues("failed")}
}

// observe counts a decision. One that the client ended, or that it asked for with a token
// that SpiceDB refuses, is not counted: a failure is for the operator to look at.
func (d *decisions) observe(ctx context.Context, took time.Duration, err error) {
	kind := authz.KindOf(err)
	switch {
	case err == nil:
		d.permitted.Observe(took.Seconds())
	case kind == authz.Denied, kind == authz.Unanswerable:
		d.denied.Observe(took.Seconds())
	case kind == authz.Invalid, errors.Is(ctx.Err(), context.Canceled):
	default:
		d.failed.Observe(took.Seconds())
	}
}
