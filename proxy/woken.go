package proxy

import "github.com/shapegate/shapegate/proxy/rush"

// woken is a request that was held, and is about to be answered because grants have changed.
// Of each subject one counts: however slowly its requests are answered, one person does not
// make others give way.
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
