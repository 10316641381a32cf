package rowfilter_test

import (
	"testing"

	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// What a message costs a reader, or a cohort of readers, that has what it may see.
func BenchmarkAppend(b *testing.B) {
	f := rowfilter.Steady(byProject, grants("ab"))
	for _, bb := range []struct{ name, before, after string }{
		{"an insert that is visible", "", "a"},
		{"an insert that is not", "", "x"},
		{"an update", "a", "b"},
		{"an update that brings a row", "x", "a"},
		{"an update that takes a row away", "a", "x"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			m := message(b, 110, bb.before, bb.after)
			buf := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := f.Append(buf, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// No reader that may not see a message allocates for it, and none that is sent it as it is.
func TestAppendDoesNotAllocate(t *testing.T) {
	f := rowfilter.Steady(byProject, grants("ab"))
	buf := make([]byte, 0, 1024)
	for _, tt := range []struct{ before, after string }{{"", "a"}, {"", "x"}, {"x", "x"}, {"a", "b"}, {"x", "a"}, {"a", "x"}, {"a", ""}} {
		m := message(t, 110, tt.before, tt.after)
		if n := testing.AllocsPerRun(100, func() { _, _, _ = f.Append(buf, m) }); n > 0 {
			t.Errorf("%q -> %q: %v allocations", tt.before, tt.after, n)
		}
	}
}
