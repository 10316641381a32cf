package grantcache

import (
	"maps"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// heard is what may have changed an entry's answer, and how much of that is answered. A
// touch has a number, drawn from one counter. It stays until it is answered by a call
// that began after its number was drawn.
type heard struct {
	// whole numbers the newest touch of the answer as a whole. A reader who wants the
	// answer anew touches it too.
	whole   uint64
	wholeAt time.Time      // when the watch brought it
	event   authz.ZedToken // the revision of the event that it is of; empty: of none

	// objects of a lookup that were touched one by one and are not answered yet. Not nil.
	objects map[string]touch

	covered uint64    // touches up to this one are answered, but for objects
	since   time.Time // of the oldest touch by the watch that is not answered; zero if there is none
}

// touch is one object that may have changed.
type touch struct {
	number      uint64
	at          time.Time
	interrupted bool       // the entry held it when a relationship of it was deleted
	loss        authz.Loss // of the interruption
	job         *job       // that will answer it; nil: the entry's own call does
}

// isDirty reports whether the answer may have changed since it was asked for.
func (h *heard) isDirty() bool { return h.isWholeDirty() || len(h.objects) > 0 }

func (h *heard) isWholeDirty() bool { return h.whole > h.covered }

// ticket is the number of the newest touch that is not answered, or of the last one.
func (h *heard) ticket() uint64 {
	newest := h.whole
	for _, t := range h.objects {
		newest = max(newest, t.number)
	}
	return newest
}

// isSettled reports whether every touch up to a ticket is answered.
func (h *heard) isSettled(ticket uint64) bool {
	if h.isWholeDirty() && h.covered < ticket {
		return false
	}
	for _, t := range h.objects {
		if t.number <= ticket {
			return false
		}
	}
	return true
}

// touchWhole notes that the watch brought what may change the answer as a whole.
func (h *heard) touchWhole(number uint64, now time.Time, event authz.ZedToken) {
	h.whole, h.wholeAt, h.event = number, now, event
	h.startSince(now)
}

// touchObject notes that the watch brought what may change the answer about one object.
func (h *heard) touchObject(id string, t touch) {
	if before := h.objects[id]; before.interrupted && !t.interrupted {
		t.interrupted, t.loss = true, before.loss
	}
	h.objects[id] = t
	h.startSince(t.at)
}

// foldObjects has the answer asked for as a whole where too many objects were touched one
// by one. Interruptions are kept.
func (h *heard) foldObjects(number uint64, now time.Time) (folded bool) {
	if len(h.objects) <= mostAnswersRunning {
		return false
	}
	h.touchWhole(number, now, "")
	maps.DeleteFunc(h.objects, func(_ string, t touch) bool { return !t.interrupted })
	return true
}

// askAgain has the entry's own call ask about an object.
func (h *heard) askAgain(id string, number uint64) {
	t := h.objects[id]
	t.number, t.job = number, nil
	h.objects[id] = t
}

// cover notes that the answer as a whole is known from a call that began after a touch. It
// returns the objects that were interrupted and are answered by it, each with its loss.
func (h *heard) cover(number uint64) (interrupted map[string]authz.Loss) {
	h.covered = max(h.covered, number)
	for id, t := range h.objects {
		if t.number > number {
			continue
		}
		if t.interrupted {
			if interrupted == nil {
				interrupted = make(map[string]authz.Loss)
			}
			interrupted[id] = t.loss
		}
		delete(h.objects, id)
	}
	return interrupted
}

// startSince notes when the oldest touch came that is not answered.
func (h *heard) startSince(now time.Time) {
	if h.since.IsZero() {
		h.since = now
	}
}

// answered moves on since, when a call was answered. What the call left came after it
// began, unless a job has still to answer it.
func (h *heard) answered(k *call) {
	if !h.isDirty() {
		h.since = time.Time{}
		return
	}
	for _, t := range h.objects {
		if !k.asks.whole && (t.job != nil || t.number <= k.number) {
			return
		}
	}
	if !h.since.IsZero() && h.since.Before(k.began) {
		h.since = k.began
	}
}

// answeredByJob moves on since, when a job's part in an entry ended.
func (h *heard) answeredByJob(isCalling bool) {
	if !h.isDirty() && !isCalling {
		h.since = time.Time{}
	}
}
