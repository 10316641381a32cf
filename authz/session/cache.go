package session

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/internal/recent"
)

const (
	// readEvery is the least time between two reads of one session from the store.
	// It is also how long the end of a session in another process may go unseen.
	readEvery = time.Second

	// maxAway is how long a session may go on that was read, while the store does
	// not answer: as long as grants may be stale by default.
	maxAway = 5 * time.Second

	// cacheBytes bounds what is remembered of sessions.
	cacheBytes = 16 << 20

	// pollChunk is how many sessions are asked for in one call to the store.
	pollChunk = 512
)

// cache reads each session from the store at most once in readEvery, however many
// requests carry it, and calls the watchers of a session when it has ended.
type cache struct {
	store Store
	now   func() time.Time

	flights singleflight.Group
	known   *recent.Map[Key, knowledge]

	watched watched
}

// knowledge is what the store said of a session.
type knowledge struct {
	session Session
	err     error     // Unauthenticated: there is no such session
	at      time.Time // not after the store was asked
	deleted bool      // by this process: final
}

func newCache(store Store, now func() time.Time) *cache {
	c := &cache{store: store, now: now, known: recent.New[Key, knowledge](cacheBytes)}
	c.watched.poll = c.poll
	return c
}

// get returns a session as the store had it at most readEvery ago or, while the
// store does not answer, maxAway ago. Errors are Unauthenticated and Unavailable.
func (c *cache) get(ctx context.Context, key Key) (Session, error) {
	if k, ok := c.known.Get(key); ok && c.isFresh(key, k) {
		return k.session, k.err
	}
	// All requests that wait share the read: it goes on when one of them ends.
	shared := context.WithoutCancel(ctx)
	answer := c.flights.DoChan(string(key.Token[:]), func() (any, error) {
		// A request that saw an old answer may come when the read that replaced it is over.
		if k, ok := c.known.Get(key); ok && c.isFresh(key, k) {
			return k, nil
		}
		return c.read(shared, key)
	})
	select {
	case a := <-answer:
		if a.Err != nil {
			return Session{}, a.Err
		}
		k := a.Val.(knowledge)
		return k.session, k.err
	case <-ctx.Done():
		return Session{}, storeError(opGet, ctx.Err())
	}
}

// isFresh reports whether the store need not be asked. A session that is watched
// is read by the poll, whose answers are up to two intervals apart.
func (c *cache) isFresh(key Key, k knowledge) bool {
	age := c.now().Sub(k.at)
	return k.deleted || age < readEvery || age < 2*readEvery && c.watched.has(key)
}

// read asks the store for a session and remembers the answer.
func (c *cache) read(ctx context.Context, key Key) (knowledge, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	k := knowledge{at: c.now()}
	data, err := c.store.Get(ctx, key)
	before, ok := c.known.Get(key)
	switch {
	case ok && before.deleted:
		return before, nil // while it was read
	case err == nil:
		if k.session, err = decode(data); err != nil {
			k.err = authz.E(authz.Unauthenticated, opGet, err)
		}
	case errors.Is(err, ErrNotFound):
		k.err = authz.E(authz.Unauthenticated, opGet, errUnknown)
	case ok && before.err == nil && k.at.Sub(before.at) <= maxAway:
		return before, nil
	default:
		return k, storeError(opGet, err)
	}
	c.remember(key, k)
	if k.err != nil {
		c.watched.end(key)
	}
	return k, nil
}

func (c *cache) remember(key Key, k knowledge) {
	c.known.Put(key, k, recent.Size(k.session.Subject.Claims)+len(k.session.ZedToken))
}

// delete notes that a session was ended here, and calls its watchers.
func (c *cache) delete(key Key) {
	c.remember(key, knowledge{err: authz.E(authz.Unauthenticated, opGet, errUnknown), deleted: true})
	c.watched.end(key)
}

// watch has ended called once, when the session has ended. It may be called before
// watch returns, and is not called after stop has returned unless it was already
// under way.
func (c *cache) watch(key Key, ended func()) (stop func()) {
	stop = c.watched.add(key, ended)
	// It may have ended since it was verified, before this watch.
	if k, ok := c.known.Get(key); ok && k.err != nil {
		c.watched.end(key)
	}
	return stop
}

// poll asks for the sessions that are watched, again and again until quit.
func (c *cache) poll(quit <-chan struct{}) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		keys := c.watched.keys()
		for len(keys) > 0 {
			n := min(len(keys), pollChunk)
			c.ask(context.Background(), keys[:n])
			keys = keys[n:]
		}
	}
}

// ask asks whether sessions are still there. That the store does not answer ends
// none of them: they are refused by get once that has lasted for maxAway.
func (c *cache) ask(ctx context.Context, keys []Key) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	at := c.now()
	held, err := c.store.Has(ctx, keys)
	if err != nil {
		return
	}
	for i, key := range keys {
		k, ok := c.known.Get(key)
		switch {
		case !held[i]:
			c.remember(key, knowledge{err: authz.E(authz.Unauthenticated, opGet, errUnknown), at: at, deleted: k.deleted})
			c.watched.end(key)
		case ok && k.err == nil:
			k.at = at
			c.remember(key, k)
		}
	}
}
