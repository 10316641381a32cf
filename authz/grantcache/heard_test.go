package grantcache

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

func TestWhatIsHeardStaysUntilACallThatBeganLaterAnswersIt(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name        string
		hear        func(*heard)
		covered     uint64
		isDirty     bool
		ticket      uint64
		settled     []uint64 // of the tickets 1 to 5
		interrupted []string
	}{
		{"nothing", func(*heard) {}, 0, false, 0, []uint64{1, 2, 3, 4, 5}, nil},
		{"as a whole, before the call", func(h *heard) { h.touchWhole(3, now, "") }, 3, false, 3, []uint64{1, 2, 3, 4, 5}, nil},
		{"as a whole, after the call began", func(h *heard) { h.touchWhole(3, now, "") }, 2, true, 3, []uint64{1, 2}, nil},
		{"an object, before the call", func(h *heard) {
			h.touchObject("a", touch{number: 2, interrupted: true})
			h.touchObject("b", touch{number: 3})
		}, 3, false, 0, []uint64{1, 2, 3, 4, 5}, []string{"a"}},
		{"an object, after the call began", func(h *heard) { h.touchObject("a", touch{number: 4, interrupted: true}) }, 3, true, 4, []uint64{1, 2, 3}, nil},
		{"an object that was interrupted and is touched again", func(h *heard) {
			h.touchObject("a", touch{number: 1, interrupted: true})
			h.touchObject("a", touch{number: 2})
		}, 2, false, 0, []uint64{1, 2, 3, 4, 5}, []string{"a"}},
		{"an object that a job asks about is asked about by the entry", func(h *heard) {
			h.touchObject("a", touch{number: 1, job: &job{}})
			h.askAgain("a", 5)
		}, 4, true, 5, []uint64{1, 2, 3, 4}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := heard{objects: make(map[string]touch)}
			tt.hear(&h)
			interrupted := h.cover(tt.covered)
			var settled []uint64
			for ticket := uint64(1); ticket <= 5; ticket++ {
				if h.isSettled(ticket) {
					settled = append(settled, ticket)
				}
			}
			if h.isDirty() != tt.isDirty || h.ticket() != tt.ticket || !slices.Equal(settled, tt.settled) || !slices.Equal(slices.Sorted(maps.Keys(interrupted)), tt.interrupted) {
				t.Errorf("dirty %v, ticket %d, settled %d, interrupted %v", h.isDirty(), h.ticket(), settled, interrupted)
			}
		})
	}
}

// Too many objects to ask about one by one are asked about as a whole, and an interruption
// is not forgotten.
func TestTooManyObjectsAreAskedAboutAsAWhole(t *testing.T) {
	h := heard{objects: make(map[string]touch)}
	now := time.Now()
	for i := range mostAnswersRunning + 1 {
		if h.foldObjects(7, now) {
			t.Fatalf("folded after %d objects", i)
		}
		h.touchObject(fmt.Sprint(i), touch{number: 1, at: now, interrupted: i == 0})
	}
	if !h.foldObjects(7, now) || !h.isWholeDirty() || len(h.objects) != 1 || !h.objects["0"].interrupted {
		t.Errorf("%d objects are left", len(h.objects))
	}
}
