package gateway

import (
	"testing"

	"github.com/shapegate/shapegate/proxy/electric"
)

func TestRequests(t *testing.T) {
	for size, want := range map[int]int{2: 1, electric.MaxBody: 1, electric.MaxBody + 1: 2, 3 * electric.MaxBody: 3} {
		if got := requests(size); got != want {
			t.Errorf("%d bytes: %d", size, got)
		}
	}
}
