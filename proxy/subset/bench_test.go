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
		"by key":         {"where": `"id" = $1`, "params": values(id1)},
		"all":            {"where": `true = true`, "params": params{}},
		"any of 1,000":   {"where": `"id" = ANY($1)`, "params": values("{" + strings.Repeat(`"`+id1+`",`, 999) + id1 + "}")},
		"an OR of 9,000": {"where": "done" + strings.Repeat(" OR done", 8_999)},
	} {
		body := bodyOf(b, members)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := subset.ParseBody(body, columns); err != nil || !ok {
					b.Fatal(err)
				}
			}
		})
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
