package permissions

import (
	"fmt"
	"testing"

	"github.com/shapegate/shapegate/authz"
)

// many are n uuids.
func many(n int) *authz.GrantSet {
	return authz.NewGrantSet(ids, func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("d0000000-0000-4000-8000-%012d", i)) {
				return
			}
		}
	})
}

// BenchmarkChange is what a client costs that is woken by one changed relationship: as much
// with 100,000 objects as with 1,000.
func BenchmarkChange(b *testing.B) {
	table := tableOf(b, "uuid", "edit", "share")
	for _, n := range []int{1_000, 100_000} {
		held := many(n)
		one := many(1)
		before := authz.GrantsOf(held, held)
		after := authz.GrantsOf(held.Difference(one), held)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				c := table.NewChange([]authz.Grants{before}, after)
				if len(c.IDs()) != 1 {
					b.Fatalf("%d ids", len(c.IDs()))
				}
				for _, id := range c.IDs() {
					buf = c.Append(buf[:0], id)
				}
			}
		})
	}
}

// BenchmarkRows is a first read, for each row.
func BenchmarkRows(b *testing.B) {
	table := tableOf(b, "uuid", "edit", "share")
	const n = 100_000
	held := many(n)
	g := authz.GrantsOf(held, many(n/2))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		all, _ := table.IDs(g)
		for _, id := range all {
			buf = table.AppendRow(buf[:0], g, id)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
