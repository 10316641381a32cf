package electrictest

import (
	"math"
	"net/http"
	"slices"
)

// Front is a way to a Server whose logs may lag: it shows them as they were when it
// fell behind, while the tables go on, and so do the snapshots that are taken of them.
// A real Electric is always a little behind its database. Two fronts of one Server are
// what two clients see whose ways to Electric differ: the same shapes and handles, at
// different moments.
//
// A Server is a front of its own. A Front is an http.Handler, and safe for concurrent
// use.
type Front struct {
	s *Server

	// The server's lock guards the rest. Without a lag, limit is greater than any LSN.
	limit int64 // the last LSN that its logs show
	seen  int64 // while it lags: the LSN of the last transaction that they show
}

var _ http.Handler = (*Front)(nil)

const noLag = math.MaxInt64

// NewFront returns another front of the server, which does not lag.
func (s *Server) NewFront() *Front {
	f := &Front{s: s, limit: noLag}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fronts = append(s.fronts, f)
	return f
}

// FallBehind makes the front lag: it shows no transaction that commits from now on, until
// CatchUp.
func (f *Front) FallBehind() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.limit == noLag {
		f.limit, f.seen = f.s.wal, f.s.seen
	}
}

// CatchUp ends the lag.
func (f *Front) CatchUp() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.limit = noLag
	for _, generations := range f.s.shapes {
		for _, sh := range generations {
			sh.notify()
		}
	}
	f.s.prune()
}

// End returns where the log of a handle ends, as far as the front shows it; false if
// there is none. A client that follows the log and is there has read all there is.
func (f *Front) End(handle string) (offset string, ok bool) {
	f.s.mu.RLock()
	defer f.s.mu.RUnlock()
	sh, ok := f.s.handles[handle]
	if !ok || sh.gone(f.limit) {
		return "", false
	}
	return sh.lastUntil(f.limit).String(), true
}

// lastSeen returns the LSN of the last transaction that the logs show. The caller must
// hold the lock.
func (f *Front) lastSeen() int64 {
	if f.limit == noLag {
		return f.s.seen
	}
	return f.seen
}

// prune forgets the shapes that are gone for every front. The caller must hold the lock.
func (s *Server) prune() {
	oldest := s.main.limit
	for _, f := range s.fronts {
		oldest = min(oldest, f.limit)
	}
	for identity, generations := range s.shapes {
		kept := slices.DeleteFunc(generations, func(sh *shape) bool {
			if !sh.gone(oldest) {
				return false
			}
			delete(s.handles, sh.handle)
			return true
		})
		if len(kept) == 0 {
			delete(s.shapes, identity)
		} else {
			s.shapes[identity] = kept
		}
	}
}
