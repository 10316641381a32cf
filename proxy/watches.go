package proxy

import (
	"sync"
	"time"
)

// watches are the credentials of requests that are held. Requests with the same
// ones share a timer and a channel: a person has many collections open, and all
// with one token.
type watches struct {
	mu    sync.Mutex
	byKey map[credentials]*credentialWatch
}

// credentialWatch is what is shared. The lock of the watches guards it.
type credentialWatch struct {
	users  int
	ended  chan struct{}
	isOver bool // ended is closed
	timer  *time.Timer
	stop   func() // ends the watch of the session; nil: there is none
}

// watch begins to watch credentials, which expire at c.Expires.
func (w *watches) watch(c credentials, sessions Sessions, now time.Time) (ended <-chan struct{}, stop func()) {
	w.mu.Lock()
	one, ok := w.byKey[c]
	if ok {
		one.users++
	} else {
		one = &credentialWatch{users: 1, ended: make(chan struct{})}
		if w.byKey == nil {
			w.byKey = make(map[credentials]*credentialWatch)
		}
		w.byKey[c] = one
		one.timer = time.AfterFunc(c.Expires().Sub(now), func() { w.end(one) })
	}
	w.mu.Unlock()
	if !ok && (c.session || c.gotWith != "") {
		w.watchSession(c, one, sessions)
	}
	return one.ended, sync.OnceFunc(func() { w.leave(c, one) })
}

// watchSession has the watch end with the session. It calls without the lock, since
// the session may end within the call.
func (w *watches) watchSession(c credentials, one *credentialWatch, sessions Sessions) {
	var stop func()
	if c.session {
		stop = sessions.Watch(c.token, func() { w.end(one) })
	} else {
		stop = sessions.WatchReferred(c.gotWith, func() { w.end(one) })
	}
	w.mu.Lock()
	unused := one.users == 0
	one.stop = stop
	w.mu.Unlock()
	if unused {
		stop()
	}
}

func (w *watches) end(one *credentialWatch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !one.isOver {
		one.isOver = true
		close(one.ended)
	}
}

// leave ends the watch of one request, and all of it with the last.
func (w *watches) leave(c credentials, one *credentialWatch) {
	w.mu.Lock()
	one.users--
	var stop func()
	if one.users == 0 {
		delete(w.byKey, c)
		one.timer.Stop()
		stop = one.stop
	}
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
}
