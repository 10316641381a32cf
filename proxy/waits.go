package proxy

import (
	"errors"
	"sync"
	"time"
)

// waits bounds how many requests are held at the same time.
type waits struct {
	most, perSubject int

	mu        sync.Mutex
	all       int
	bySubject map[string]int
}

var errTooManyWait = errors.New("too many requests are held")

// retryWait is how long somebody is asked to wait who may not wait here, in the mean.
const retryWait = 5 * time.Second

// begin notes that a subject's request is held, until end is called.
func (w *waits) begin(subject string) (end func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.bySubject[subject] >= w.perSubject:
		return nil, &problem{kind: tooMany, message: "too many of your requests are waiting", retryAfter: spread(retryWait), cause: errTooManyWait}
	case w.all >= w.most:
		return nil, &problem{kind: unavailable, message: "too many requests are waiting", retryAfter: spread(retryWait), cause: errTooManyWait}
	}
	if w.bySubject == nil {
		w.bySubject = make(map[string]int)
	}
	w.all++
	w.bySubject[subject]++
	return func() { w.end(subject) }, nil
}

func (w *waits) end(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.bySubject[subject]--; w.bySubject[subject] == 0 {
		delete(w.bySubject, subject)
	}
}
