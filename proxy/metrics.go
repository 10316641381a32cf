package proxy

import "github.com/prometheus/client_golang/prometheus"

// metrics are what the handler counts. Labels hold shape names, methods and
// status codes: never a subject or an id.
type metrics struct {
	requests     *prometheus.CounterVec
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
	for _, c := range []prometheus.Collector{m.requests, m.held, m.idsLeftOut, m.rowsWithheld} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
