package grantcache

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errClosed = errors.New("the grant cache is closed")

// tasks are the goroutines that outlive the reader who caused them. After close none runs
// and none starts. Its lock is the innermost: no other is taken while it is held.
type tasks struct {
	ctx    context.Context //nolint:containedctx // of all tasks; ends with close
	cancel context.CancelFunc

	mu       sync.Mutex
	isClosed bool
	running  sync.WaitGroup
}

func newTasks() *tasks {
	t := &tasks{}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// start runs do in a goroutine. It reports false after close.
func (t *tasks) start(do func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.isClosed {
		t.running.Go(do)
	}
	return !t.isClosed
}

// after starts do after a time, unless close comes first.
func (t *tasks) after(d time.Duration, do func()) {
	time.AfterFunc(d, func() { t.start(do) })
}

// close ends the context of all tasks, and waits for them.
func (t *tasks) close() {
	t.mu.Lock()
	t.isClosed = true
	t.mu.Unlock()
	t.cancel()
	t.running.Wait()
}
