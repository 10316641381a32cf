package electric

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkSnapshot reads the rows of a snapshot, and one column of each.
func BenchmarkSnapshot(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"metadata":{"xmin":"1","xmax":"1","xip_list":[]},"data":[`)
	const rows = 1000
	for i := range rows {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"key":"\"public\".\"documents\"/\"%036d\"","value":{"id":"%036d","project_id":"atlas","title":"A title of some length","body":null,"updated_at":"2026-03-01 10:00:00+00"},"headers":{"operation":"insert","relation":["public","documents"]}}`, i, i)
	}
	text.WriteString("]}")
	body := []byte(text.String())
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r := newSnapshotReader(io.NopCloser(bytes.NewReader(body)), newSpelling("public", "documents"))
		for {
			m, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if v, err := m.Column("id"); err != nil || len(v.Text) != 36 {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
