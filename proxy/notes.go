package proxy

import (
	"log/slog"
	"sync"
	"time"
)

// notes counts and logs the ids and rows that were left out of answers.
type notes struct {
	metrics *metrics
	log     *slog.Logger

	mu     sync.Mutex
	logged map[string]time.Time // by shape and column
}

const leftOutEvery = time.Minute

func newNotes(m *metrics, log *slog.Logger) *notes {
	return &notes{metrics: m, log: log, logged: make(map[string]time.Time)}
}

// leftOut notes ids of a filter that its column cannot hold. They are logged once a minute
// for each column.
func (n *notes) leftOut(shape, column, columnType string, count int) {
	n.metrics.idsLeftOut.WithLabelValues(shape).Add(float64(count))
	n.mu.Lock()
	defer n.mu.Unlock()
	key, now := shape+"."+column, time.Now()
	if now.Sub(n.logged[key]) < leftOutEvery {
		return
	}
	n.logged[key] = now
	n.log.Warn("object ids that the filter's column cannot hold are left out; give the objects ids that are values of the column",
		"shape", shape, "column", column, "type", columnType, "count", count)
}

// withheld notes rows that a subset held against its filter, which is a defect.
func (n *notes) withheld(shape string, count int) {
	n.metrics.rowsWithheld.WithLabelValues(shape).Add(float64(count))
	n.log.Error("a subset held rows that its filter does not permit; they were withheld", "shape", shape, "count", count)
}
