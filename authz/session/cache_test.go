package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/session"
)

// counted is a store that counts how often each session is asked for, and can be
// away or slow.
type counted struct {
	mu     sync.Mutex
	memory *memory
	reads  map[session.Key]int
	calls  int // of Has
	away   bool
	during func() // called while a session is read
}

func newCounted() *counted { return &counted{memory: newMemory(), reads: make(map[session.Key]int)} }

var errAway = errors.New("away")

func (c *counted) set(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

// total is how often any session was asked for.
func (c *counted) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, reads := range c.reads {
		n += reads
	}
	return n
}

func (c *counted) Put(ctx context.Context, key session.Key, data []byte, ttl time.Duration, most int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory.Put(ctx, key, data, ttl, most)
}

func (c *counted) Get(ctx context.Context, key session.Key) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads[key]++
	if c.away {
		return nil, errAway
	}
	data, err := c.memory.Get(ctx, key)
	if during := c.during; during != nil {
		c.during = nil
		c.mu.Unlock()
		during()
		c.mu.Lock()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return data, err
}

func (c *counted) Has(ctx context.Context, keys []session.Key) ([]bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	for _, key := range keys {
		c.reads[key]++
	}
	if c.away {
		return nil, errAway
	}
	return c.memory.Has(ctx, keys)
}

func (c *counted) Delete(ctx context.Context, key session.Key) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory.Delete(ctx, key)
}

// cached runs a test of a manager on a counted store, with a session in it, in a
// bubble of its own time.
func cached(t *testing.T, test func(t *testing.T, m *session.Manager, store *counted, token string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newCounted()
		m := session.NewManager(store, time.Hour)
		token, _, err := m.Create(t.Context(), alice(time.Now().Add(24*time.Hour)), "")
		if err != nil {
			t.Fatal(err)
		}
		test(t, m, store, token)
	})
}

func get(t *testing.T, m *session.Manager, token string) {
	t.Helper()
	if s, err := m.Get(t.Context(), token); err != nil || s.Subject.ID != "alice" {
		t.Errorf("Get = %v, %v", s.Subject, err)
	}
}

func assertReads(t *testing.T, store *counted, want int) {
	t.Helper()
	if got := store.total(); got != want {
		t.Errorf("%d reads, want %d", got, want)
	}
}

func TestASessionIsReadOnceASecond(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		for second := 1; second <= 3; second++ {
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() { get(t, m, token) })
			}
			all.Wait()
			time.Sleep(900 * time.Millisecond)
			get(t, m, token)
			assertReads(t, store, second)
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestASessionThatIsNotThereIsReadOnceASecond(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		if err := session.NewManager(store, 0).Delete(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			_, err := m.Get(t.Context(), token)
			assertKind(t, err, authz.Unauthenticated, "no such session")
		}
		assertReads(t, store, 1)
	})
}

func TestAReaderThatGoesAwayDoesNotFailTheReadOfOthers(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		ctx, cancel := context.WithCancel(t.Context())
		store.during = func() { cancel(); synctest.Wait() }
		gone := make(chan error, 1)
		go func() { _, err := m.Get(ctx, token); gone <- err }()
		<-ctx.Done()
		get(t, m, token)
		if err := <-gone; authz.KindOf(err) != authz.Unavailable {
			t.Errorf("error = %v, want an Unavailable one", err)
		}
	})
}

func TestASessionThatEndsHereIsRefusedAtOnce(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, _ *counted, token string) {
		get(t, m, token)
		if err := m.Delete(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		_, err := m.Get(t.Context(), token)
		assertKind(t, err, authz.Unauthenticated, "no such session")
	})
}

func TestASessionThatEndsWhileItIsReadIsRefused(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		store.during = func() {
			if err := m.Delete(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		_, err := m.Get(t.Context(), token)
		assertKind(t, err, authz.Unauthenticated, "no such session")
		_, err = m.Get(t.Context(), token)
		assertKind(t, err, authz.Unauthenticated, "no such session")
	})
}

func TestASessionThatEndsElsewhereIsRefusedWithinASecond(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		get(t, m, token)
		if err := session.NewManager(store, 0).Delete(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		_, err := m.Get(t.Context(), token)
		assertKind(t, err, authz.Unauthenticated, "no such session")
	})
}

func TestAStoreThatIsBrieflyAwayEndsNoKnownSession(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		unread, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
		if err != nil {
			t.Fatal(err)
		}
		get(t, m, token)
		store.set(true)
		for range 5 {
			time.Sleep(time.Second)
			get(t, m, token)
		}
		_, err = m.Get(t.Context(), unread)
		assertKind(t, err, authz.Unavailable, "away")
		time.Sleep(time.Second)
		_, err = m.Get(t.Context(), token)
		assertKind(t, err, authz.Unavailable, "away")
		store.set(false)
		get(t, m, token)
	})
}

func TestAWatchSeesAnEndHereAtOnce(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, _ *counted, token string) {
		ended := 0
		stop := m.Watch(token, func() { ended++ })
		unwatched := m.Watch(token, func() { t.Error("a watch was called after it had stopped") })
		unwatched()
		if err := m.Delete(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if err := m.Delete(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if ended != 1 {
			t.Errorf("called %d times", ended)
		}
		stop()
		stop()
	})
}

func TestAWatchSeesAnEndElsewhereWithinASecond(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		ended := make(chan struct{})
		stop := m.Watch(token, func() { close(ended) })
		defer stop()
		time.Sleep(10*time.Second + 100*time.Millisecond)
		select {
		case <-ended:
			t.Fatal("called for a session that is there")
		default:
		}
		if err := session.NewManager(store, 0).Delete(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		<-ended
		if took := time.Since(at); took > time.Second {
			t.Errorf("called after %v", took)
		}
		_, err := m.Get(t.Context(), token)
		assertKind(t, err, authz.Unauthenticated, "no such session")
	})
}

func TestAWatchOfAnEndedSessionEndsAtOnce(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		if err := m.Delete(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{token, "no token"} {
			ended := 0
			m.Watch(token, func() { ended++ })()
			if ended != 1 {
				t.Errorf("called %d times", ended)
			}
		}
	})
}

// However many wait with a session, and however often it is used meanwhile, it is
// asked for once a second. The bubble ends only when no goroutine is left.
func TestWatchesShareOneReadASecond(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		var stops []func()
		for range 1000 {
			stops = append(stops, m.Watch(token, func() { t.Error("called without an end") }))
		}
		get(t, m, token)
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			get(t, m, token)
		}
		if got := store.total(); got > 11 {
			t.Errorf("%d reads in 10 s", got)
		}
		for _, stop := range stops {
			stop()
		}
		before := store.total()
		time.Sleep(10 * time.Second)
		assertReads(t, store, before)
	})
}

func TestManySessionsAreAskedForTogether(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, _ string) {
		for range 1000 {
			token, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
			if err != nil {
				t.Fatal(err)
			}
			defer m.Watch(token, func() { t.Error("called without an end") })()
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		store.mu.Lock()
		defer store.mu.Unlock()
		if store.calls != 2 || len(store.reads) != 1000 {
			t.Errorf("%d calls for %d sessions", store.calls, len(store.reads))
		}
	})
}

// A store that is away for longer than it may be ends no watch: a request that is held with a
// request is refused when there is something to send.
func TestAStoreThatIsAwayEndsNoWatch(t *testing.T) {
	cached(t, func(t *testing.T, m *session.Manager, store *counted, token string) {
		stop := m.Watch(token, func() { t.Error("called without an end") })
		defer stop()
		get(t, m, token)
		store.set(true)
		time.Sleep(time.Minute)
		_, err := m.Get(t.Context(), token)
		assertKind(t, err, authz.Unavailable, "away")
	})
}

func TestASubjectsOldestSessionEnds(t *testing.T) {
	b := startMiniredis(t)
	client := dial(t, b.url)
	m := session.NewManager(session.NewRedis(client, ""), time.Minute, session.WithPerSubject(2))
	var tokens []string
	for range 3 {
		token, _, err := m.Create(t.Context(), alice(time.Now().Add(time.Hour)), "")
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	other := alice(time.Now().Add(time.Hour))
	other.Subject.ID = "bob"
	bobs, _, err := m.Create(t.Context(), other, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Get(t.Context(), tokens[0])
	assertKind(t, err, authz.Unauthenticated, "no such session")
	for _, token := range append(tokens[1:], bobs) {
		if _, err := m.Get(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
}
