// Package flight has calls for the same thing share an answer. An answer is never older than a
// call that gets it: it is asked for after the call came.
//
// golang.org/x/sync/singleflight gives a call the answer that is under way, which may have
// been made before the call. Here such a call waits for the next answer, with all others that
// have come by then:
//
//	calls    1 ──────┐
//	             2, 3, 4 … wait ──────┐
//	                          5 … waits
//	asked    [1     ][2, 3, 4        ][5 …
//
// So thousands of calls within a moment are a few questions. A call that meets no other is
// not touched: it asks by itself, and may read its answer as it comes.
//
// The package knows nothing of what is asked.
package flight

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Group is calls for answers of one type, each by a key. It is safe for concurrent use.
type Group[K comparable, T any] struct {
	ctx    context.Context //nolint:containedctx // of all questions; Close ends it
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	keys    map[K]*key[T] // of what is asked for at this moment
	waiting atomic.Int64  // calls
}

// key is the calls for one thing.
type key[T any] struct {
	next  *answer[T] // of those who wait; nil: nobody does
	ask   Ask[T]     // of the first of them
	unfit bool       // answers cannot be shared: everybody asks alone
}

// answer is what is shared.
type answer[T any] struct {
	ctx   context.Context //nolint:containedctx // of the question
	stop  context.CancelFunc
	calls int // that wait; without one the question ends

	done  chan struct{} // closed when the rest is set
	value T
	fit   bool
	err   error
}

// Ask asks for an answer that can be shared. It returns false if there is none, because it
// is too large, for example. Its context ends when nobody waits for the answer any more, and
// at Close.
type Ask[T any] func(context.Context) (value T, fit bool, err error)

// safely asks, and makes an error of a panic. Nobody else would recover from it here, where
// those who wait are in other goroutines, and the process would end.
func (ask Ask[T]) safely(ctx context.Context) (value T, fit bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return ask(ctx)
}

// New returns a Group without calls. The caller must Close it.
func New[K comparable, T any]() *Group[K, T] {
	g := &Group[K, T]{keys: make(map[K]*key[T])}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Close ends the questions that are under way, and waits until they have.
func (g *Group[K, T]) Close() {
	g.mu.Lock()
	g.cancel()
	g.mu.Unlock()
	g.tasks.Wait()
}

// Join returns an answer for a key, shared with others. It returns false if the caller has to
// ask by itself. The caller calls done, once, when it has asked, and may call it in any other case. Calls for the key that come
// until then wait, and are then answered together: the ask of the first of them is called, once.
//
// Errors are those of ask, one for a panic of it, and the cause of the context's end. After
// Close everybody asks alone.
func (g *Group[K, T]) Join(ctx context.Context, name K, ask Ask[T]) (value T, shared bool, done func(), err error) {
	a, k := g.enter(name, ask)
	if a == nil {
		return value, false, func() { g.leave(name, k) }, nil
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	select {
	case <-a.done:
		return a.value, a.fit && a.err == nil, func() {}, a.err
	case <-ctx.Done():
		g.abandon(k, a)
		return value, false, func() {}, context.Cause(ctx)
	}
}

// Waiting returns how many calls wait for an answer that they share.
func (g *Group[K, T]) Waiting() int { return int(g.waiting.Load()) }

// enter returns the answer to wait for, with its key. Without an answer the caller asks alone,
// and leaves the key if there is one.
func (g *Group[K, T]) enter(name K, ask Ask[T]) (*answer[T], *key[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.keys[name]
	switch {
	case k == nil:
		k = &key[T]{}
		g.keys[name] = k
		return nil, k
	case k.unfit, g.ctx.Err() != nil:
		return nil, nil
	case k.next == nil:
		k.next, k.ask = &answer[T]{done: make(chan struct{})}, ask
		k.next.ctx, k.next.stop = context.WithCancel(g.ctx)
	}
	k.next.calls++
	return k.next, k
}

// abandon notes that a call does not wait for an answer any more. With the last one, the
// question ends, or is not asked.
func (g *Group[K, T]) abandon(k *key[T], a *answer[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.calls--; a.calls > 0 {
		return
	}
	a.stop()
	if k.next == a {
		k.next, k.ask = nil, nil
	}
}

// leave notes that the first call for a key has asked.
func (g *Group[K, T]) leave(name K, k *key[T]) {
	if k == nil {
		return
	}
	g.mu.Lock()
	waits, closed := k.next != nil, g.ctx.Err() != nil
	switch {
	case !waits:
		delete(g.keys, name)
	case !closed:
		g.tasks.Go(func() { g.run(name, k) })
	}
	g.mu.Unlock()
	if waits && closed {
		g.run(name, k) // which ends at once
	}
}

// run asks for those who wait, until nobody does.
func (g *Group[K, T]) run(name K, k *key[T]) {
	for {
		a, ask := g.take(name, k)
		if a == nil {
			return
		}
		if ask != nil {
			a.value, a.fit, a.err = ask.safely(a.ctx)
		}
		a.stop()
		if !a.fit && a.err == nil {
			g.mu.Lock()
			k.unfit = true
			g.mu.Unlock()
		}
		close(a.done)
	}
}

// take returns the answer that those wait for who have come by now, and what it is asked
// with; nil: they ask alone.
func (g *Group[K, T]) take(name K, k *key[T]) (a *answer[T], ask Ask[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ask = k.next, k.ask
	k.next, k.ask = nil, nil
	if a == nil {
		delete(g.keys, name)
	}
	if k.unfit {
		ask = nil
	}
	return a, ask
}
