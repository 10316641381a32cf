package session

import (
	"maps"
	"slices"
	"sync"
)

// watched are the sessions whose end somebody waits for.
type watched struct {
	poll func(quit <-chan struct{}) // runs while any session is watched, until quit

	mu       sync.Mutex
	watchers map[Key]map[*watcher]struct{}
	quit     chan struct{} // ends the poll; nil while no session is watched
}

type watcher struct{ ended func() }

// add has ended called once, when the session has ended or after that.
func (w *watched) add(key Key, ended func()) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.quit == nil {
		w.watchers = make(map[Key]map[*watcher]struct{})
		w.quit = make(chan struct{})
		go w.poll(w.quit)
	}
	if w.watchers[key] == nil {
		w.watchers[key] = make(map[*watcher]struct{})
	}
	one := &watcher{ended}
	w.watchers[key][one] = struct{}{}
	return func() { w.remove(key, one) }
}

func (w *watched) remove(key Key, one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watchers[key], one)
	w.tidy(key)
}

// end calls the watchers of a session that has ended.
func (w *watched) end(key Key) {
	w.mu.Lock()
	ended := w.watchers[key]
	delete(w.watchers, key)
	w.tidy(key)
	w.mu.Unlock()
	for one := range ended {
		one.ended()
	}
}

// tidy forgets a session that is not watched, and ends the poll with the last of
// them. The caller holds the lock.
func (w *watched) tidy(key Key) {
	if len(w.watchers[key]) > 0 {
		return
	}
	delete(w.watchers, key)
	if len(w.watchers) == 0 && w.quit != nil {
		close(w.quit)
		w.quit = nil
	}
}

func (w *watched) has(key Key) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watchers[key]) > 0
}

func (w *watched) keys() []Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.watchers))
}
