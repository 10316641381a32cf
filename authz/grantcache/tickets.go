package grantcache

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// tickets has readers wait for answers. A ticket is the number of the newest touch at some
// moment: an answer is good for a reader whose ticket is settled.
type tickets struct {
	touches   *atomic.Uint64
	freshness *freshness
	ages      *ages
	tasks     *tasks
	scheduler *scheduler
}

// want draws tickets for entries' answers: as they are cached, or are about to be, if that
// may be used; if not, or if anew, for ones that are asked for from now on. A nil entry has
// none.
func (t *tickets) want(anew bool, entries ...*entry) []uint64 {
	drawn := make([]uint64, len(entries))
	for i, e := range entries {
		if e != nil {
			drawn[i] = t.draw(e, anew)
		}
	}
	t.scheduler.dispatch()
	return drawn
}

func (t *tickets) draw(e *entry, anew bool) uint64 {
	now := time.Now()
	isCurrent := t.freshness.isCurrent(now)
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	isDirty := e.heard.isDirty()
	switch {
	case e.value.isRefused(now):
		return 0
	case anew, !isCurrent, e.value.failure != nil, t.ages.isExpired(e, now) && !isDirty,
		isDirty && e.calls.failed >= e.heard.ticket(): // a call that failed is made again
		e.heard.whole = t.touches.Add(1)
	}
	if e.heard.isDirty() {
		t.scheduler.hurry(e)
	}
	return e.heard.ticket()
}

// await waits until an entry's answer is good for a ticket. Errors are those of the call
// that should have brought it.
func (t *tickets) await(ctx context.Context, e *entry, ticket uint64) error {
	if e == nil {
		return nil
	}
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	for !e.isSettled(ticket) {
		if err := e.calls.errorFor(ticket); err != nil {
			return err
		}
		done := e.calls.done
		e.shard.mu.Unlock()
		var err error
		select {
		case <-done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-t.tasks.ctx.Done():
			err = authz.E(authz.Unavailable, "decide", errClosed)
		}
		e.shard.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}
