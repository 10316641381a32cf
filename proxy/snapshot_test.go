package proxy

import (
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy/electric"
)

// A request that is taken for shorter than it is would be over Electric's limit.
func TestNoBodyIsLongerThanItIsTakenFor(t *testing.T) {
	limit := int64(1<<63 - 1)
	for _, text := range []string{"plain", `"quoted"`, "<&>", "\x01\x02", "\u2028", "é", `\`, "{a,\"b\"}"} {
		for _, times := range []int{1, 1000, electric.MaxBody / 2 / len(text)} {
			long := strings.Repeat(text, times)
			s := electric.Subset{Where: long, Params: map[string]string{"1": long}, OrderBy: `"id"`, Limit: &limit, Offset: &limit}
			body, err := s.Body()
			if err != nil {
				t.Fatal(err)
			}
			if got := bodySize(s); got < len(body) {
				t.Errorf("%d times %q: %d bytes are taken for %d", times, text, len(body), got)
			}
		}
	}
}
