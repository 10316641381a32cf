package electrictest

import "net/http"

// Front is a way to a Server whose logs may lag: it shows them as they were when it
// fell behind, while the tables go on, and so do the snapshots that are taken of them.
// A real Electric is always a little behind its database. Two fronts of one Server are
// what two clients see whose ways to Electric differ: the same shapes and handles, at
// different moments.
//
// A Server is a front of its own. A Front is an http.Handler, and safe for concurrent
// use.
type Front struct {
	service *service
	lag     *lag // the database's lock guards what it points to
}

var _ http.Handler = (*Front)(nil)

// FallBehind makes the front lag: it shows no transaction that commits from now on, until
// CatchUp.
func (f *Front) FallBehind() {
	db := f.service.db
	db.mu.Lock()
	defer db.mu.Unlock()
	if f.lag.limit == noLag {
		*f.lag = lag{limit: db.wal, seen: db.shapes.seen}
	}
}

// CatchUp ends the lag.
func (f *Front) CatchUp() {
	db := f.service.db
	db.mu.Lock()
	defer db.mu.Unlock()
	db.shapes.catchUp(f.lag)
}

// End returns where the log of a handle ends, as far as the front shows it; false if
// there is none. A client that follows the log and is there has read all there is.
func (f *Front) End(handle string) (offset string, ok bool) {
	db := f.service.db
	db.mu.RLock()
	defer db.mu.RUnlock()
	sh, ok := db.shapes.handles[handle]
	if !ok || sh.gone(f.lag.limit) {
		return "", false
	}
	return sh.log.endUntil(f.lag.limit).String(), true
}

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.service.serve(w, r, f.lag)
}
