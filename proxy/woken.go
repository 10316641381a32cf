package proxy

import "github.com/shapegate/shapegate/proxy/rush"

// woken is a request that was held, and is about to be answered because grants have changed.
// At most one request of a subject counts, by the subject's load: so one person with many slow
// requests does not delay others.
type woken struct {
	load *load
	rush *rush.Rush // nil: another request of the subject counts
}

func wokenByGrants(place *admission, s *rush.Rushes) woken {
	w := woken{load: place.load}
	if w.load.woken.Add(1) == 1 {
		w.rush = s.Add(1)
	}
	return w
}

// done notes that the request is answered.
func (w woken) done() {
	w.load.woken.Add(-1)
	w.rush.Done()
}
