package bench_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/authztest"
)

// BenchmarkSnapshotMemory streams snapshots of several sizes from an upstream
// that makes them up as it goes, and reports the most that the heap grew while
// they passed: what it takes must not depend on their size.
func BenchmarkSnapshotMemory(b *testing.B) {
	for _, megabytes := range []int{10, 100} {
		b.Run(fmt.Sprintf("MB=%d", megabytes), func(b *testing.B) {
			rows := megabytes << 20 / rowBytes
			upstream := httptest.NewServer(endless(rows))
			b.Cleanup(upstream.Close)
			d := &deployment{b: b, client: &http.Client{}, token: token(b)}
			d.proxied = serve(b, grantAll(), upstream.URL)
			d.fetch("GET", d.proxied+"/v1/shapes/documents?offset=now", "")
			var peak uint64
			for b.Loop() {
				peak = max(peak, growth(func() { d.fetch("GET", d.proxied+"/v1/shapes/documents?offset=-1", "") }))
			}
			b.SetBytes(int64(megabytes) << 20)
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
		})
	}
}

const rowBytes = 2048

// grantAll permits the one id that all rows of endless have.
func grantAll() authztest.Always {
	ids := authz.NewIDs(authz.NewFingerprintKey(secret))
	return authztest.Always{Decision: authz.Decision{Grants: authz.GrantsOf(authz.NewGrantSet(ids, slices.Values([]string{endlessID})))}}
}

const endlessID = "00000000-0000-4000-8000-000000000000"

// endless is an Electric that knows two answers: where its log ends, and a
// snapshot of many rows.
func endless(rows int) http.Handler {
	row := `{"key":"\"public\".\"documents\"/\"` + endlessID + `\"","value":{"body":"%s","id":"` + endlessID + `","title":"t"},"headers":{"relation":["public","documents"],"operation":"insert"}}`
	row = fmt.Sprintf(row, strings.Repeat("x", rowBytes-len(row)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Electric-Handle", "1-1")
		h.Set("Electric-Offset", "0_inf")
		h.Set("Electric-Schema", `{"id":{"type":"uuid","not_null":true,"pk_index":0},"title":{"type":"text"},"body":{"type":"text"}}`)
		if r.Method == http.MethodGet {
			h.Set("Electric-Up-To-Date", "")
			_, _ = io.WriteString(w, `[{"headers":{"control":"up-to-date","global_last_seen_lsn":"1"}}]`)
			return
		}
		h.Set("Electric-Snapshot", "true")
		out := bufio.NewWriterSize(w, 64<<10)
		_, _ = io.WriteString(out, `{"metadata":{"xmin":"1","xmax":"1","xip_list":[]}, "data": [`)
		for i := range rows {
			if i > 0 {
				_ = out.WriteByte(',')
			}
			_, _ = out.WriteString(row)
		}
		_, _ = io.WriteString(out, `]}`)
		_ = out.Flush()
	})
}

// growth returns by how much the heap in use grew, at the most, while do ran.
func growth(do func()) uint64 {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	peak := before.HeapInuse
	for {
		select {
		case <-done:
			return peak - before.HeapInuse
		case <-tick.C:
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
		}
	}
}
