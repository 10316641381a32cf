package feed_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// The logs of one subject, however many, give way to the log that everybody reads.
func TestOneSubjectsLogsDoNotShrinkTheLogOfEverybody(t *testing.T) {
	const budget = 64 << 10
	inWorld(t, feed.Config{Memory: budget}, func(w *world) {
		for i := range 5 {
			_, err := w.feeds.Open(&electric.LogSpec{Schema: "public", Table: "docs", Columns: []string{"id"}}, columns(), "docs", fmt.Sprint("user:", i))
			w.check(err)
		}
		at := w.end()
		write := func(n int) {
			for range n {
				w.log.write(strings.Repeat("x", 500))
				synctest.Wait()
			}
		}
		write(20)
		for i := range 50 {
			f, err := w.feeds.Open(&electric.LogSpec{Schema: "public", Table: "docs", Where: fmt.Sprint("p = ", i)}, columns(), "of a project", "user:ann")
			w.check(err)
			_, _, err = f.Position(w.Context())
			w.check(err)
		}
		write(10)
		all, shared := 0, 0
		for _, s := range w.feeds.Status() {
			all += s.WindowBytes + s.AnswerBytes
			if s.Shape == "docs" {
				shared = s.WindowBytes
			}
		}
		if all > budget {
			t.Errorf("%d bytes are kept, of %d", all, budget)
		}
		asked := len(w.log.requests())
		p, err := w.feed.Read(w.Context(), at)
		w.check(err)
		if got := w.rows(p); len(got) != 31 || !p.InMemory() || len(w.log.requests()) != asked {
			t.Errorf("%d messages, in memory: %v, of the %d bytes that are kept", len(got), p.InMemory(), shared)
		}
	})
}

// A feed that ends gives its memory back, and what it has counted stays.
func TestMetricsAreOfShapes(t *testing.T) {
	registry := prometheus.NewRegistry()
	inWorld(t, feed.Config{Registerer: registry}, func(w *world) {
		x := w.wait(w.end(), w.seeing("a"), feed.Until{})
		w.log.write("a")
		x.brings("a")
		two, err := w.feeds.Open(&electric.LogSpec{Schema: "public", Table: "docs", Where: "p = 1"}, columns(), "docs", "user:ann")
		w.check(err)
		_, _, err = two.Position(w.Context())
		w.check(err)
		w.metrics(registry, map[string]float64{"feeds": 2, "readers": 2, "waiting": 0, "lsn": 110, "woken_total": 1, "restarts_total": 0})
		w.log.rotate()
		w.end()
		synctest.Wait()
		w.metrics(registry, map[string]float64{"feeds": 2, "restarts_total": 2})
		two.Release()
		w.feed.Release()
		w.idle()
		w.metrics(registry, map[string]float64{"woken_total": 1, "restarts_total": 2, "feeds": 0, "window_bytes": 0, "answer_bytes": 0})
		w.feed = w.open("")
		w.end()
	})
}

// metrics makes sure of the metrics of the shape "docs".
func (w *world) metrics(registry *prometheus.Registry, want map[string]float64) {
	w.Helper()
	families, err := registry.Gather()
	w.check(err)
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if labels := m.GetLabel(); len(labels) != 1 || labels[0].GetName() != "shape" || labels[0].GetValue() != "docs" {
				w.Errorf("%s has the labels %v", f.GetName(), labels)
			}
			got[strings.TrimPrefix(f.GetName(), "shapegate_feed_")] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	for name, value := range want {
		if got[name] != value {
			w.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
}

// idle waits until every feed has ended.
func (w *world) idle() {
	for len(w.feeds.Status()) > 0 {
		time.Sleep(time.Second)
	}
}
