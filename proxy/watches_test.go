package proxy

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
)

// sessionsOfOne is a store of one session, which ends on command.
type sessionsOfOne struct {
	Sessions

	mu       sync.Mutex
	watching map[int]func()
	watched  int // how often
}

func (s *sessionsOfOne) Create(context.Context, identity.Identity, authz.ZedToken) (string, session.Session, error) {
	panic("not called")
}

func (s *sessionsOfOne) Get(context.Context, string) (session.Session, error) {
	return session.Session{Expires: time.Now().Add(time.Hour)}, nil
}

func (s *sessionsOfOne) Delete(context.Context, string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ended := range s.watching {
		ended()
	}
	return nil
}

func (s *sessionsOfOne) Watch(_ string, ended func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching == nil {
		s.watching = make(map[int]func())
	}
	s.watched++
	n := s.watched
	s.watching[n] = ended
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watching, n)
	}
}

// tokenUntil is a verifier of tokens that all end at one time.
type tokenUntil time.Time

func (t tokenUntil) Verify(context.Context, string) (identity.Identity, error) {
	return identity.Identity{Expires: time.Time(t)}, nil
}

func watched(t *testing.T, a *authentication, c credentials) (<-chan struct{}, func()) {
	t.Helper()
	if _, err := a.identify(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	return a.watch(c)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWatchedCredentialsEndWhenTheyExpire(t *testing.T) {
	for name, c := range map[string]credentials{"a token": {token: "x"}, "a session": {token: "sgs_x", session: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &authentication{tokens: tokenUntil(time.Now().Add(time.Hour)), sessions: &sessionsOfOne{}}
				ended, stop := watched(t, a, c)
				defer stop()
				time.Sleep(time.Hour - time.Millisecond)
				synctest.Wait()
				if isClosed(ended) {
					t.Fatal("they ended too soon")
				}
				time.Sleep(time.Millisecond)
				synctest.Wait()
				if !isClosed(ended) {
					t.Error("they have expired, and the watch goes on")
				}
			})
		})
	}
}

func TestWatchedCredentialsEndWithTheirSession(t *testing.T) {
	s := &sessionsOfOne{}
	a := &authentication{sessions: s}
	ended, stop := watched(t, a, credentials{token: "sgs_x", session: true})
	defer stop()
	if err := s.Delete(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if !isClosed(ended) {
		t.Error("the session has ended, and the watch goes on")
	}
	again, stop := watched(t, a, credentials{token: "sgs_x", session: true})
	defer stop()
	_ = s.Delete(t.Context(), "")
	if !isClosed(again) {
		t.Error("a second watch goes on")
	}
}

func TestRequestsWithTheSameCredentialsShareAWatch(t *testing.T) {
	s := &sessionsOfOne{}
	a := &authentication{sessions: s, tokens: tokenUntil(time.Now().Add(time.Hour))}
	expires := time.Now().Add(time.Hour)
	c := credentials{token: "sgs_x", session: true, expires: expires}
	var all []<-chan struct{}
	var stops []func()
	for range 1000 {
		ended, stop := a.watch(c)
		all, stops = append(all, ended), append(stops, stop)
	}
	if s.watched != 1 || len(a.watches.byKey) != 1 {
		t.Errorf("%d watches of one session, %d in all", s.watched, len(a.watches.byKey))
	}
	for _, stop := range stops[1:] {
		stop()
		stop()
	}
	_ = s.Delete(t.Context(), "")
	if !isClosed(all[0]) {
		t.Error("the last one goes on")
	}
	stops[0]()
	if len(s.watching) != 0 || len(a.watches.byKey) != 0 {
		t.Errorf("%d sessions and %d credentials are still watched", len(s.watching), len(a.watches.byKey))
	}
}
