package grantcache

import "slices"

// answers are the newest answers about single objects of one lookup, oldest first. They
// correct a lookup that began before them and came after them, they keep an older answer
// from replacing a newer one, and they say which ids may have changed lately.
type answers struct {
	list []answer

	// forgotten is the newest number among the answers that were dropped: nothing is
	// known of an object that is not in the list and whose answer began before it.
	forgotten uint64
}

type answer struct {
	id    string
	held  bool
	began uint64 // number of the newest touch when the call began
}

const (
	mostAnswers        = 16   // that are kept,
	mostAnswersRunning = 1024 // and while a lookup runs that they may have to correct
)

// put notes an answer. It reports false if a newer one may be known already: then the
// answer must not be used. known says whether it surely is.
func (a *answers) put(id string, held bool, began uint64, running bool) (newest, known bool) {
	i := slices.IndexFunc(a.list, func(x answer) bool { return x.id == id })
	switch {
	case i >= 0 && a.list[i].began > began:
		return false, true
	case i < 0 && began < a.forgotten:
		return false, false
	case i >= 0:
		a.list = slices.Delete(a.list, i, i+1)
	}
	a.list = append(a.list, answer{id, held, began})
	most := mostAnswers
	if running {
		most = mostAnswersRunning
	}
	a.trim(most)
	return true, true
}

func (a *answers) trim(most int) {
	for _, x := range a.list[:max(0, len(a.list)-most)] {
		a.forgotten = max(a.forgotten, x.began)
	}
	a.list = slices.Delete(a.list, 0, max(0, len(a.list)-most))
}
