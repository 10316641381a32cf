package proxy

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Limits bound the work that one subject, and all of them, may cause at the same
// time in one process. A zero is the default.
type Limits struct {
	// Rate is how many requests a second one subject may send, 100 by default, and
	// Burst how many of them at once, 200 by default.
	Rate  float64
	Burst int

	// Concurrent is how many requests of one subject are served at the same time,
	// held ones apart; 16 by default. Eight times as many wait for their turn, for
	// 10 s at most.
	Concurrent int

	// Reads is how many first reads and subsets are under way at Electric at the
	// same time, for everybody; 200 by default, which leaves room within the 300 that
	// Electric admits. The others wait, each subject with Concurrent of them at most.
	Reads int
}

const (
	// queuedPerPlace is how many requests wait for each place of a subject.
	queuedPerPlace = 8
	// turnTime is how long a request waits for its turn.
	turnTime = 10 * time.Second
	// retryHeld is how long a client is asked to wait, in the mean, that has too many
	// requests held.
	retryHeld = 5 * time.Second
	// retryTurn is the same for a client that has too many under way.
	retryTurn = 2 * time.Second
)

var errLimit = errors.New("a limit is reached")

// limiter is in front of all work. It knows a subject only while requests of it are
// under way, or its rate is not recovered.
type limiter struct {
	Limits
	held, heldPerSubject int

	refused *prometheus.CounterVec
	reads   *semaphore.Weighted

	mu       sync.Mutex
	allHeld  int
	subjects map[string]*load
	idle     list.List // of *load, by when they became idle
}

// load is what one subject has under way. The limiter's lock guards it, but for
// what guards itself.
type load struct {
	subject string
	rate    *rate.Limiter
	places  *semaphore.Weighted

	requests int // under way, waiting for their turn, or held
	queued   int
	held     int
	woken    atomic.Int32 // see woken

	since time.Time     // since when it is idle
	place *list.Element // among the idle; nil while it is not
}

func newLimiter(limits Limits, held, heldPerSubject int, r prometheus.Registerer) (*limiter, error) {
	if limits.Rate <= 0 {
		limits.Rate = 100
	}
	limits.Burst = orDefault(limits.Burst, 200)
	limits.Concurrent = orDefault(limits.Concurrent, 16)
	limits.Reads = orDefault(limits.Reads, 200)
	l := &limiter{
		Limits: limits, held: orDefault(held, 50_000), heldPerSubject: orDefault(heldPerSubject, 500),
		reads:    semaphore.NewWeighted(int64(limits.Reads)),
		subjects: make(map[string]*load),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shapegate_limited_requests_total",
			Help: "Requests that were refused because a limit was reached, by limit: rate, concurrent, held, held_total, reads.",
		}, []string{"limit"}),
	}
	if r == nil {
		return l, nil
	}
	known := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "shapegate_limited_subjects",
		Help: "Subjects that the limiter knows: those with requests under way, or with a rate that is not recovered.",
	}, func() float64 { return float64(l.known()) })
	for _, c := range []prometheus.Collector{l.refused, known} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// recovery is how long the rate of a subject takes to recover: a subject that is idle for
// that long is as one that was never seen.
func (l *limiter) recovery() time.Duration {
	return time.Duration(float64(l.Burst) / l.Rate * float64(time.Second))
}

// admission is one request among those of its subject. It is used by one goroutine
// at a time.
type admission struct {
	limiter *limiter
	load    *load
	working bool             // it has one of the subject's places
	held    prometheus.Gauge // of those that are held; nil: it is not
}

// admit counts a request of a subject, and waits for one of the subject's places.
// The caller calls leave.
func (l *limiter) admit(ctx context.Context, subject string) (*admission, error) {
	s, wait, err := l.enter(subject)
	if err != nil {
		return nil, err
	}
	a := &admission{limiter: l, load: s}
	if wait {
		err = l.await(ctx, s.places)
		l.mu.Lock()
		s.queued--
		l.mu.Unlock()
	}
	if err != nil {
		a.leave()
		return nil, l.noTurn(ctx, err)
	}
	a.working = true
	return a, nil
}

// enter finds or makes the load of a subject. It reports whether the request has to
// wait for its turn.
func (l *limiter) enter(subject string) (s *load, wait bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.forget(now, 2)
	s = l.subjects[subject]
	if s == nil {
		s = &load{
			subject: subject,
			rate:    rate.NewLimiter(rate.Limit(l.Rate), l.Burst),
			places:  semaphore.NewWeighted(int64(l.Concurrent)),
		}
		l.subjects[subject] = s
	}
	l.use(s)
	r := s.rate.ReserveN(now, 1)
	if delay := r.DelayFrom(now); delay > 0 {
		r.CancelAt(now)
		l.unuse(s, now)
		return nil, false, l.refuse("rate", &problem{kind: tooMany, message: "you send too many requests", retryAfter: delay, cause: errLimit})
	}
	if s.places.TryAcquire(1) {
		return s, false, nil
	}
	if s.queued >= queuedPerPlace*l.Concurrent {
		l.unuse(s, now)
		return nil, false, l.refuse("concurrent", &problem{kind: tooMany, message: "too many of your requests are under way", retryAfter: spread(retryTurn), cause: errLimit})
	}
	s.queued++
	return s, true, nil
}

// hold turns a request into one that is held, which gives up its place. It counts
// as held, in a gauge too, until it leaves.
func (a *admission) hold(in prometheus.Gauge) error {
	l, s := a.limiter, a.load
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.held >= l.heldPerSubject:
		return l.refuse("held", &problem{kind: tooMany, message: "too many of your requests are waiting", retryAfter: spread(retryHeld), cause: errLimit})
	case l.allHeld >= l.held:
		return l.refuse("held_total", &problem{kind: unavailable, message: "too many requests are waiting", retryAfter: spread(retryHeld), cause: errLimit})
	}
	a.held = in
	in.Inc()
	s.held++
	l.allHeld++
	a.giveUpPlace()
	return nil
}

// leave ends a request. It may be called more than once.
func (a *admission) leave() {
	if a == nil || a.load == nil {
		return
	}
	l, s := a.limiter, a.load
	l.mu.Lock()
	defer l.mu.Unlock()
	a.giveUpPlace()
	if a.held != nil {
		a.held.Dec()
		s.held--
		l.allHeld--
	}
	a.load = nil
	l.unuse(s, time.Now())
}

func (a *admission) giveUpPlace() {
	if a.working {
		a.working = false
		a.load.places.Release(1)
	}
}

// turn waits for what a request needs before it asks for rows, by itself or with others. A
// request that is held has given up its place among those of its subject, and takes one again
// meanwhile: one subject's requests, of whatever kind, cannot fill the line to Electric. The
// caller calls done when the rows have been read.
func (a *admission) turn(ctx context.Context) (done func(), err error) {
	if a.working {
		return func() {}, nil
	}
	l, places := a.limiter, a.load.places
	if err := l.await(ctx, places); err != nil {
		return nil, l.noTurn(ctx, err)
	}
	return func() { places.Release(1) }, nil
}

// read waits for a place among the snapshots at Electric. The caller calls done when
// Electric's answer has been read.
func (l *limiter) read(ctx context.Context) (done func(), err error) {
	if err := l.await(ctx, l.reads); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, l.refuse("reads", &problem{kind: unavailable, message: "too many first reads are under way", retryAfter: spread(retryHeld), cause: err})
	}
	return func() { l.reads.Release(1) }, nil
}

// noTurn is the error of a request that has waited for its subject's turn in vain.
func (l *limiter) noTurn(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return l.refuse("concurrent", &problem{kind: tooMany, message: "too many of your requests are under way", retryAfter: spread(retryTurn), cause: err})
}

// await waits for a place, for turnTime at most. Waiting requests are served in turn.
func (l *limiter) await(ctx context.Context, places *semaphore.Weighted) error {
	if places.TryAcquire(1) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	return places.Acquire(ctx, 1)
}

func (l *limiter) refuse(limit string, p *problem) error {
	l.refused.WithLabelValues(limit).Inc()
	return p
}

// use notes that a subject has one request more. The caller holds the lock.
func (l *limiter) use(s *load) {
	s.requests++
	if s.place != nil {
		l.idle.Remove(s.place)
		s.place = nil
	}
}

// unuse notes that a subject has one request less. The caller holds the lock.
func (l *limiter) unuse(s *load, now time.Time) {
	if s.requests--; s.requests == 0 {
		s.since = now
		s.place = l.idle.PushBack(s)
	}
}

// forget forgets at most n subjects whose rate has recovered. The caller holds the
// lock.
func (l *limiter) forget(now time.Time, n int) {
	for e := l.idle.Front(); e != nil && n > 0; e = l.idle.Front() {
		n--
		s := e.Value.(*load)
		if now.Sub(s.since) < l.recovery() {
			return
		}
		l.idle.Remove(e)
		delete(l.subjects, s.subject)
	}
}

// known is how many subjects the limiter knows.
func (l *limiter) known() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(time.Now(), len(l.subjects))
	return len(l.subjects)
}
