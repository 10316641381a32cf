package model_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// A schedule has clients that read on their own, each request at either replica, while
// everything around them fails. Afterwards each holds exactly its rows.
//
// More schedules run with SHAPEGATE_SCHEDULES, from a seed on with SHAPEGATE_SCHEDULE_SEED.
func TestClientsEndWithExactlyTheirRowsWhateverFails(t *testing.T) {
	runs, err := strconv.Atoi(cmp.Or(os.Getenv("SHAPEGATE_SCHEDULES"), "3"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.ParseUint(cmp.Or(os.Getenv("SHAPEGATE_SCHEDULE_SEED"), "1"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for seed := first; seed < first+uint64(runs); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { runSchedule(t, seed) })
	}
}

// schedule is a deployment in which things fail.
type schedule struct {
	*deployment
	clients []*client
	cutting *cuttingTransport
	answers chan struct{}

	mu     sync.Mutex
	tokens map[*client]string // those that replace the clients' own
	wrong  error              // the first that a client met
}

func runSchedule(t *testing.T, seed uint64) {
	var away time.Duration
	if seed%2 == 0 {
		away = 50 * time.Millisecond // clients are told soon that Electric is away
	}
	s := &schedule{
		deployment: deploy(t, rand.New(rand.NewPCG(seed, 4)), away),
		tokens:     make(map[*client]string), answers: make(chan struct{}, 1),
	}
	s.side = rand.New(rand.NewPCG(seed, 5))
	s.o.forgetful, s.o.lax = true, true
	s.cutting = &cuttingTransport{RoundTripper: s.client.Transport}
	s.client = &http.Client{Transport: s.cutting}
	s.clients = s.openClients()
	s.rest(s.clients)
	const rounds = 3
	for range rounds {
		s.round()
	}
	refetches := 0
	for _, c := range s.clients {
		refetches += c.refetches
	}
	t.Logf("%d times told to begin anew", refetches)
}

// round lets things fail while the clients read, then nothing any more, and compares the
// clients' rows.
func (s *schedule) round() {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	s.cutting.mu.Lock()
	s.cutting.r = rand.New(rand.NewPCG(s.r.Uint64(), 6))
	s.cutting.mu.Unlock()
	var readers sync.WaitGroup
	for _, c := range s.clients {
		r := rand.New(rand.NewPCG(s.r.Uint64(), 7))
		readers.Go(func() { s.keepReading(ctx, c, r) })
	}
	const steps = 20
	for range steps {
		s.step()
		s.wait(ctx)
	}
	s.recover()
	stop()
	readers.Wait()
	s.check(s.wrong)
	s.settle()
}

// wait waits for an answer to a client, so that steps come between answers.
func (s *schedule) wait(ctx context.Context) {
	const most = 15 * time.Millisecond
	timer := time.NewTimer(most)
	defer timer.Stop()
	for range 1 + s.r.IntN(3) {
		select {
		case <-s.answers:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// step changes rows or grants, or has something fail or recover.
func (s *schedule) step() {
	i := s.r.IntN(2)
	r := s.replicas[i]
	switch n := s.r.IntN(20); n {
	case 0, 1, 2, 3, 4:
		s.writeGrants()
	case 5, 6, 7, 8, 9:
		s.changeRows()
	case 10:
		s.say("replica %d is killed and replaced", i)
		r.cut()
		r.stop()
		s.start(r)
	case 11, 12:
		s.say("replica %d: SpiceDB fails in part", i)
		r.engine.fail(s.failures())
	case 13, 14:
		s.say("replica %d: SpiceDB recovers", i)
		r.engine.recover()
	case 15:
		s.say("SpiceDB's connections break")
		s.spicedb.BreakConnections()
	case 16:
		s.lag(s.side.IntN(6))
	case 17:
		if r.upstream.shut.Load() {
			s.say("replica %d: Electric is back", i)
			r.upstream.open()
		} else {
			s.say("replica %d: Electric is away", i)
			r.upstream.shutNow()
		}
	case 18:
		c := s.clients[s.r.IntN(len(s.clients))]
		s.say("the token of %s expires", name(c))
		s.mu.Lock()
		s.tokens[c] = s.tokenFor(c.person, time.Duration(s.r.IntN(2))*time.Second)
		s.mu.Unlock()
	case 19:
		s.overlap(s.side.IntN(2))
	}
}

// writeGrants changes grants, and does not wait until the replicas have heard of it.
func (s *schedule) writeGrants() { s.writeGrant(s.pickRelationship()) }

// failures are some methods of SpiceDB that fail. An Internal error of a decision is a
// defect, and answered 500; what keeps the cache current goes on after any error.
func (s *schedule) failures() map[string]error {
	fails := make(map[string]error)
	for range 1 + s.r.IntN(3) {
		method, kind := engineMethods[s.r.IntN(len(engineMethods))], authz.Unavailable
		if background := method == "Head" || method == "Watch" || method == "Heartbeat"; background && s.r.IntN(2) == 0 {
			kind = authz.Internal
		}
		fails[method] = authz.E(kind, "ask", errors.New("it fails on purpose"))
	}
	return fails
}

// recover has nothing fail any more.
func (s *schedule) recover() {
	s.say("everything recovers")
	s.cutting.stop()
	for _, r := range s.replicas {
		r.upstream.open()
		r.engine.recover()
		r.electric.CatchUp()
	}
}

// settle lets every client read on until it has its rows.
func (s *schedule) settle() {
	s.t.Helper()
	for _, r := range s.replicas {
		s.post(r)
	}
	s.told()
	s.read()
	s.mu.Lock()
	clear(s.tokens)
	s.mu.Unlock()
	for _, c := range s.clients {
		c.token = s.token(c.person)
	}
	s.rest(s.clients)
}

// keepReading has a client read on and on, in one way or another, as the official one
// does when requests fail.
func (s *schedule) keepReading(ctx context.Context, c *client, r *rand.Rand) {
	for ctx.Err() == nil {
		s.renew(c)
		base := s.replicas[r.IntN(2)].url
		var err error
		switch kind := r.IntN(5); {
		case c.fresh:
			err = c.read(ctx, base, false, false)
		case c.onDemand && (!c.loaded || kind == 0):
			err = c.load(ctx, base)
		case kind < 2:
			err = c.read(ctx, base, kind == 0, false)
		default:
			err = c.stream(ctx, base, r.IntN(2)*r.IntN(12))
		}
		s.answered(ctx, c, err)
	}
}

// renew gives a client the token that replaces its own.
func (s *schedule) renew(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token, ok := s.tokens[c]; ok {
		c.token = token
		delete(s.tokens, c)
	}
}

// answered judges what became of a request.
func (s *schedule) answered(ctx context.Context, c *client, err error) {
	select {
	case s.answers <- struct{}{}:
	default:
	}
	var refused *refusal
	var never violation
	switch {
	case errors.As(err, &never), errors.As(err, &refused) && refused.status < http.StatusInternalServerError && refused.status != http.StatusUnauthorized,
		errors.As(err, &refused) && refused.status == http.StatusInternalServerError:
		s.mu.Lock()
		if s.wrong == nil {
			s.wrong = fmt.Errorf("%s: %w", name(c), err)
		}
		s.mu.Unlock()
	case refused != nil && refused.status == http.StatusUnauthorized:
		c.token = s.token(c.person)
	case err != nil:
		_ = backOff(ctx) // the loop ends with ctx
	}
}
