package bench_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// inTurn runs the same request with and without shapegate, in turn, so that both
// meet the same machine, and reports the ratio of their times.
func inTurn(b *testing.B, direct, proxied func() time.Duration) {
	b.Helper()
	direct() // shapes are made, connections opened
	proxied()
	var without, with time.Duration
	for b.Loop() {
		without += direct()
		with += proxied()
	}
	b.ReportMetric(float64(without.Microseconds())/float64(b.N), "direct-µs/op")
	b.ReportMetric(float64(with.Microseconds())/float64(b.N), "shapegate-µs/op")
	b.ReportMetric(float64(with)/float64(without), "x-direct")
	b.ReportMetric(0, "ns/op")
}

// end is the URL of a log's end.
func (d *deployment) end(base string) string {
	_, h := d.fetch("GET", base+"&offset=now", "")
	return base + "&offset=" + h.Get("Electric-Offset") + "&handle=" + url.QueryEscape(h.Get("Electric-Handle"))
}

// BenchmarkCatchUp reads a log that has nothing new: the smallest request there
// is, and so the one where authorization weighs most.
func BenchmarkCatchUp(b *testing.B) {
	for _, ids := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("ids=%d", ids), func(b *testing.B) {
			d := deploy(b, ids)
			direct := d.end(d.direct + "/v1/shape?table=documents&log=changes_only")
			proxied := d.end(d.proxied + "/v1/shapes/documents?log=changes_only")
			inTurn(b,
				func() time.Duration { t, _ := d.fetch("GET", direct, ""); return t },
				func() time.Duration { t, _ := d.fetch("GET", proxied, ""); return t })
		})
	}
}

// BenchmarkBehind reads the last ten changes of a log.
func BenchmarkBehind(b *testing.B) {
	const ids = 100
	d := deploy(b, ids)
	direct := d.end(d.direct + "/v1/shape?table=documents&log=changes_only")
	proxied := d.end(d.proxied + "/v1/shapes/documents?log=changes_only")
	for i := range 10 {
		_, err := d.tables.Exec("UPDATE documents SET title = $1", fmt.Sprint("change ", i))
		check(b, err)
	}
	inTurn(b,
		func() time.Duration { t, _ := d.fetch("GET", direct, ""); return t },
		func() time.Duration { t, _ := d.fetch("GET", proxied, ""); return t })
}

// BenchmarkSubset asks for all permitted rows by POST. Straight to the stand-in,
// the client names the ids itself.
func BenchmarkSubset(b *testing.B) {
	for _, ids := range []int{1, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", ids), func(b *testing.B) {
			d := deploy(b, ids)
			named := d.namedSubset()
			direct := d.direct + "/v1/shape?table=documents&offset=now&log=changes_only"
			proxied := d.proxied + "/v1/shapes/documents?offset=now&log=changes_only"
			inTurn(b,
				func() time.Duration { t, _ := d.fetch("POST", direct, named); return t },
				func() time.Duration { t, _ := d.fetch("POST", proxied, `{"where":"true = true"}`); return t })
		})
	}
}

// BenchmarkFirstRead is the first read of a log: the permitted rows as inserts.
func BenchmarkFirstRead(b *testing.B) {
	for _, ids := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", ids), func(b *testing.B) {
			d := deploy(b, ids)
			named := d.namedSubset()
			direct := d.direct + "/v1/shape?table=documents&offset=now&log=changes_only"
			inTurn(b,
				func() time.Duration { t, _ := d.fetch("POST", direct, named); return t },
				func() time.Duration { t, _ := d.fetch("GET", d.proxied+"/v1/shapes/documents?offset=-1", ""); return t })
		})
	}
}

func (d *deployment) namedSubset() string {
	body, err := json.Marshal(map[string]any{
		"where":  `"id" = ANY($1)`,
		"params": map[string]string{"1": "{" + strings.Join(d.granted, ",") + "}"},
	})
	check(d.b, err)
	return string(body)
}
