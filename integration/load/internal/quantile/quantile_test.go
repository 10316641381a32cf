package quantile

import (
	"testing"
	"time"
)

func TestQuantilesAreSamples(t *testing.T) {
	var all []time.Duration
	for i := range 200 {
		all = append(all, time.Duration(200-i))
	}
	if got, want := Of(all), (Quantiles{100, 190, 198, 200}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := Of(all[:1]), (Quantiles{1, 1, 1, 1}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Of(nil); got != (Quantiles{}) {
		t.Errorf("%v of nothing", got)
	}
}
