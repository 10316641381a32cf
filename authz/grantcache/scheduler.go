package grantcache

import (
	"sync"
	"time"
)

// scheduler has calls made for what is queued, never more than a number at the same time.
// While SpiceDB is away, what is queued fails at once. Whoever adds something calls
// dispatch afterwards. Its lock is taken while a shard's is held, and not the other way
// round.
type scheduler struct {
	tasks  *tasks
	most   int // calls under way
	caller caller

	mu      sync.Mutex
	running int
	queue   queue
	outage  outage
}

// caller makes the calls of a scheduler, which notes how they end.
type caller interface {
	call(w work)
	fail(waiting *queue, err error) // what waits for a SpiceDB that is away
}

// enqueue has an entry asked for, unless it is about to be. The caller holds the shard's
// lock.
func (s *scheduler) enqueue(e *entry) {
	if e.calls.queued || e.calls.running || !e.needsCall() || e.value.isRefused(time.Now()) {
		return
	}
	e.calls.queued = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.add(e)
}

// hurry is enqueue for a reader who is blocked: the entry comes before those that no reader
// waits for. The caller holds the shard's lock.
func (s *scheduler) hurry(e *entry) {
	wasUrgent := e.calls.urgent
	e.calls.urgent = true
	if e.calls.queued && !wasUrgent && e.isLookup() && e.asksWhole() {
		s.mu.Lock()
		s.queue.add(e)
		s.mu.Unlock()
	}
	s.enqueue(e)
}

func (s *scheduler) addJobs(jobs ...*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		s.queue.addJob(j)
	}
}

// dispatch starts the calls that may start. The caller holds no lock.
func (s *scheduler) dispatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.tasks.ctx.Err() == nil && s.running < s.most && !s.queue.isEmpty() {
		if s.outage.mayAsk(time.Now()) {
			s.start(s.queue.next())
			continue
		}
		waiting, err := s.queue, s.outage.err
		s.queue = queue{}
		s.mu.Unlock()
		s.caller.fail(&waiting, err)
		s.mu.Lock()
	}
}

// start makes a call in a goroutine. The caller holds the lock.
func (s *scheduler) start(w work) {
	s.running++
	s.tasks.start(func() {
		s.caller.call(w)
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
		s.dispatch()
	})
}

// note keeps what the end of a call says of SpiceDB, see outage.
func (s *scheduler) note(err error, began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage.note(err, began, time.Now())
}

// isAway reports whether SpiceDB did not answer lately.
func (s *scheduler) isAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outage.err != nil
}
