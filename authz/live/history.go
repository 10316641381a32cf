package live

// history bounds what all holdings together remember of their changes. The oldest
// is forgotten first. The keeper's lock guards it.
type history struct {
	budget, size int
	order        []happened // in the order of the versions
	start        int        // of order; what is before it was forgotten
}

type happened struct {
	to      *holding
	version uint64
	size    int
}

func (y *history) add(h *holding, c change) {
	y.order = append(y.order, happened{h, c.version, c.size})
	y.size += c.size
	for y.size > y.budget {
		y.forgetOldest()
	}
	if y.start > 1024 && 2*y.start > len(y.order) {
		y.order = append([]happened(nil), y.order[y.start:]...)
		y.start = 0
	}
}

func (y *history) forgetOldest() {
	oldest := y.order[y.start]
	y.order[y.start] = happened{}
	y.start++
	y.size -= oldest.size
	// A holding may have forgotten its past on its own.
	if h := oldest.to; len(h.changes) > 0 && h.changes[0].version == oldest.version {
		h.changes, h.since = h.changes[1:], oldest.version
	}
}
