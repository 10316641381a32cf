package subset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy/subset"
)

func BenchmarkParseBody(b *testing.B) {
	for name, members := range map[string]map[string]any{
		"typical": {
			"where":  `("title" = $1 OR "title" ILIKE $2) AND "done" = $3 AND "created_at" >= $4`,
			"params": values("a", "%b%", "true", "2026-01-02T03:04:05.678Z"), "order_by": `"created_at" DESC NULLS FIRST`, "limit": 50,
		},
		"by key":       {"where": `"id" = $1`, "params": values(id1)},
		"all":          {"where": `true = true`, "params": params{}},
		"any of 1,000": {"where": `"id" = ANY($1)`, "params": values("{" + strings.Repeat(`"`+id1+`",`, 999) + id1 + "}")},
		"3,000 ORs":    {"where": ors(3_000, "title"), "params": values(slices.Repeat([]any{"a"}, 3_000)...)},
	} {
		body := bodyOf(b, members)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := subset.ParseBody(body, table); err != nil || !ok {
					b.Fatal(err)
				}
			}
		})
	}
}

// ors is what TanStack DB makes of an or of n comparisons.
func ors(n int, column string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(" OR ")
		}
		fmt.Fprintf(&b, "%q = $%d", column, i+1)
	}
	return b.String()
}

// A where that was not seen before.
func BenchmarkParseNewWhere(b *testing.B) {
	p := values(slices.Repeat([]any{"a"}, 3_000)...)
	where := ors(3_000, "title")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := parseWhere(b, fmt.Sprintf("%s OR points = %d", where, i), p); err != nil {
			b.Fatal(err)
		}
	}
}

func uuids(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("11111111-1111-4111-8111-%012x", i)
	}
	return ids
}

func BenchmarkArrayLiteral(b *testing.B) {
	ids := uuids(100_000)
	b.ReportAllocs()
	for b.Loop() {
		subset.ArrayLiteral(slices.Values(ids))
	}
}

func BenchmarkCanonicalValue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := subset.CanonicalValue("uuid", id1); !ok {
			b.Fatal("refused")
		}
	}
}
