package proxy

import (
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/proxy/rush"
)

// Requests give way to many people whose grants have changed, and not to one person's many
// requests.
func TestOnePersonsRequestsAreNoRush(t *testing.T) {
	const requests = 400
	for name, subjectOf := range map[string]func(request int) string{
		"one person":  func(int) string { return "user:alice" },
		"many people": func(request int) string { return "user:" + strconv.Itoa(request) },
	} {
		limited(t, Limits{Rate: 1e6, Burst: 1e6}, 0, 0, func(t *testing.T, l *limiter) {
			rushes := rush.New()
			defer rushes.Close()
			var all []woken
			for i := range requests {
				place := admit(t, l, subjectOf(i))
				if err := place.hold(prometheus.NewGauge(prometheus.GaugeOpts{})); err != nil {
					t.Fatal(err)
				}
				defer place.leave()
				all = append(all, wokenByGrants(place, rushes))
			}
			began := time.Now()
			rushes.GiveWay(t.Context())
			if waited := time.Since(began) > 0; waited != (name == "many people") {
				t.Errorf("%s: others give way: %v", name, waited)
			}
			for _, w := range all {
				w.done()
			}
			time.Sleep(time.Second) // the rush is over
			place := admit(t, l, subjectOf(0))
			defer place.leave()
			again := wokenByGrants(place, rushes)
			if again.rush == nil {
				t.Errorf("%s: a later request does not count", name)
			}
			again.done()
		})
	}
}
