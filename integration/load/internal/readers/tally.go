package readers

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// tally is what was noticed while clients read.
type tally struct {
	woken      atomic.Int64 // answers without a change that were no timeout's
	unexpected atomic.Int64 // answers with unexpected changes
	refetches  atomic.Int64 // clients that had to begin anew
	failures   atomic.Int64 // requests that got no answer, or one that was none

	mu     sync.Mutex
	last   error
	wrongs []string
}

// mostWrongs bounds how much is said about what is wrong.
const mostWrongs = 20

func (t *tally) wrong(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.wrongs) < mostWrongs {
		t.wrongs = append(t.wrongs, fmt.Sprintf(format, args...))
	}
}

func (t *tally) fail(err error) {
	t.failures.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = err
}

// forNothing is how many answers came early, without a change that was waited for.
func (t *tally) forNothing() int64 { return t.woken.Load() + t.unexpected.Load() }

// into reports what there is to say of the clients at a door. What is wrong at one
// that shapegate is compared with is no fault of shapegate's.
func (t *tally) into(r *report, d *door, clients int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := fmt.Sprintf("%s, %d clients", d.name, clients)
	wrong := r.note
	if d.decides {
		wrong = r.wrong
	}
	for _, text := range t.wrongs {
		wrong("%s: %s", name, text)
	}
	if n := t.failures.Load(); n > 0 {
		wrong("%s: %d requests failed, the last: %v", name, n, t.last)
	}
	if n := t.refetches.Load(); n > 0 {
		r.note("%s: %d clients had to begin anew", name, n)
	}
}
