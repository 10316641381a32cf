package plural_test

import (
	"testing"

	"github.com/shapegate/shapegate/cmd/internal/plural"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 ids", 1: "1 id", 2: "2 ids"} {
		if got := plural.Count(n, "id"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
