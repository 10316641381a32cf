package grantcache

import "time"

const (
	// debounce is how long a change that concerns many entries waits for more changes.
	debounce = 50 * time.Millisecond

	// longestPause bounds the pause between two lookups of one entry.
	longestPause = 2 * time.Second
)

// debouncer says when what was touched is asked for: at once, or together with more, so
// that a burst of writes costs a part of SpiceDB's time and not all of it.
type debouncer struct {
	shards    *shards
	scheduler *scheduler
	tasks     *tasks
}

// refresh has a touched entry asked for soon: at once, or after a pause as long as its last
// lookup took. The caller holds the shard's lock, and dispatches.
func (d *debouncer) refresh(e *entry) {
	now := time.Now()
	if e.value.isRefused(now) || e.isPaused(now) && !e.calls.urgent {
		d.flushLater(e.permission)
		return
	}
	d.scheduler.enqueue(e)
}

// flushLater has the touched entries in use of a permission asked for after the debounce.
func (d *debouncer) flushLater(p *permission) {
	if p.flushing.CompareAndSwap(false, true) {
		d.tasks.after(debounce, func() { d.flush(p) })
	}
}

func (d *debouncer) flush(p *permission) {
	p.flushing.Store(false)
	now, left := time.Now(), false
	d.shards.entriesOf(p, func(e *entry) {
		switch {
		case !e.heard.isDirty() || !e.inUse():
		case e.isPaused(now) || e.asksWhole() && e.value.isRefused(now):
			left = true
		default:
			d.scheduler.enqueue(e)
		}
	})
	if left {
		d.flushLater(p)
	}
	d.scheduler.dispatch()
}
