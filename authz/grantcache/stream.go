package grantcache

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// position is how far the watch has come. Neither revision is good to ask at, see
// authz.WatchEvent.
type position struct {
	newest authz.ZedToken // of the last event that was taken in

	// resume is a revision that was surely brought in full, to watch from again: a revision
	// may come in several events. It is empty until everything that is kept was touched at a
	// revision before it.
	resume authz.ZedToken
}

// took notes that an event was taken in.
func (p *position) took(e *authz.WatchEvent) {
	if e.Through != p.newest {
		p.resume, p.newest = p.newest, e.Through
	}
	if e.Checkpoint {
		p.resume = e.Through
	}
}

// stream is the one stream of the watch, as far as others may break it.
type stream struct {
	mu     sync.Mutex
	opened time.Time               // when it was asked for
	cancel context.CancelCauseFunc // breaks it; nil if there is none
}

func (s *stream) open(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened, s.cancel = time.Now(), cancel
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = nil
}

var errSilent = errors.New("no heartbeat comes back")

// cutSilent breaks a stream that has been silent for longer than a bound: there may be a
// better one.
func (s *stream) cutSilent(now time.Time, bound time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil && now.Sub(s.opened) > bound {
		s.cancel(authz.E(authz.Unavailable, "watch", errSilent))
	}
}
