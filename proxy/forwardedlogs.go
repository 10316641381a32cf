package proxy

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/shapegate/shapegate/proxy/feed"
)

// forwardedLogs counts the logs that each subject was permitted to read at Electric by itself
// in the last forwardedTime. What of them is still open is not known here.
type forwardedLogs struct {
	perSubject int
	seed       maphash.Seed

	mu    sync.Mutex
	used  map[string]map[uint64]time.Time // by subject and log: when it was last asked for
	swept time.Time
}

// forwardedTime is how long a log counts: for longer than the longest wait for it at
// Electric, after which its client asks again.
const forwardedTime = time.Minute

func newForwardedLogs(perSubject int) *forwardedLogs {
	return &forwardedLogs{perSubject: perSubject, seed: maphash.MakeSeed(), used: make(map[string]map[uint64]time.Time)}
}

// use notes that a subject reads a log. The error is feed.ErrTooManyForSubject.
func (f *forwardedLogs) use(subject, log string) error {
	key, now := maphash.String(f.seed, log), time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweep(now)
	logs := f.used[subject]
	if logs == nil {
		logs = make(map[uint64]time.Time)
		f.used[subject] = logs
	}
	if _, ok := logs[key]; !ok && len(logs) >= f.perSubject {
		if forget(logs, now); len(logs) >= f.perSubject {
			return feed.ErrTooManyForSubject
		}
	}
	logs[key] = now
	return nil
}

// sweep forgets what does not count any more, once in forwardedTime. The caller holds the
// lock.
func (f *forwardedLogs) sweep(now time.Time) {
	if now.Sub(f.swept) < forwardedTime {
		return
	}
	f.swept = now
	for subject, logs := range f.used {
		if forget(logs, now); len(logs) == 0 {
			delete(f.used, subject)
		}
	}
}

func forget(logs map[uint64]time.Time, now time.Time) {
	for key, at := range logs {
		if now.Sub(at) >= forwardedTime {
			delete(logs, key)
		}
	}
}
