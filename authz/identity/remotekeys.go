package identity

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/shapegate/shapegate/authz"
)

const (
	askWait     = 2 * time.Second  // how long one token waits for a fetch
	askInterval = 10 * time.Second // between two fetches that tokens ask for, in the mean
	askBurst    = 4                // of those, how many may follow each other at once
	firstRetry  = time.Second      // after a failed fetch; doubles
	lastRetry   = 30 * time.Second // where it stops doubling
)

// remoteKeys keeps an issuer's key set. One goroutine fetches it: at start, at
// intervals, sooner after a failure, and when a token names a key that is not in
// it, which happens when the issuer rotates its keys. Anybody can name a key that
// does not exist. So tokens share fetches, ask for no key again within askInterval
// of a fetch that did not bring it, and for askBurst others at most.
//
// A failed fetch changes nothing: the last keys stay in use. One that brought no
// usable key has failed.
type remoteKeys struct {
	server  keyServer
	every   time.Duration
	log     *slog.Logger
	stopped <-chan struct{}
	wake    chan struct{} // holds at most one request to fetch now

	mu      sync.Mutex
	set     keySet        // nil until the first success
	fetched uint64        // how often it was replaced
	err     error         // of the last fetch
	pending bool          // a fetch is under way, or has been asked for
	done    chan struct{} // closed when the pending fetch, or the next, is over
	asks    asks
}

func startRemoteKeys(ctx context.Context, cfg Config) *remoteKeys {
	k := &remoteKeys{
		server:  newKeyServer(cfg),
		every:   cfg.JWKSRefresh,
		log:     cfg.Logger.With(slog.String("issuer", cfg.Issuer)),
		stopped: ctx.Done(),
		wake:    make(chan struct{}, 1),
		pending: true, // so that the first tokens wait for the first fetch
		done:    make(chan struct{}),
		asks:    newAsks(),
	}
	go k.run(ctx)
	return k
}

var errNotFetched = errors.New("the issuer's key set has not been fetched yet")

// find implements keySource.
func (k *remoteKeys) find(ctx context.Context, token *jwt.Token) (any, error) {
	var id string
	if raw, ok := token.Header["kid"]; ok {
		if id, ok = raw.(string); !ok {
			return nil, errBadKeyID
		}
	}
	set, _ := k.current()
	keys, err := set.match(id, token.Method.Alg())
	if !errors.Is(err, errUnknownKeyID) {
		return keys, err
	}
	heard := k.ask(ctx, id)
	set, fetchErr := k.current()
	keys, err = set.match(id, token.Method.Alg())
	switch {
	case !errors.Is(err, errUnknownKeyID):
		return keys, err
	case fetchErr != nil:
		// Whether there is such a key by now is not known. Saying that the
		// token is bad would log people out for the key server's troubles.
		return nil, authz.E(authz.Unavailable, opVerify, fetchErr)
	case !heard || set == nil:
		return nil, authz.E(authz.Unavailable, opVerify, errNotFetched)
	}
	return nil, err
}

// number implements keySource.
func (k *remoteKeys) number() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fetched
}

func (k *remoteKeys) current() (keySet, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set, k.err
}

// ask has the key set fetched, for a key that is not in it, and waits for it. It
// returns at once where tokens have asked too often or fetching has ended;
// false means that a fetch is under way and its outcome not known.
func (k *remoteKeys) ask(ctx context.Context, id string) (heard bool) {
	k.mu.Lock()
	done := k.done
	if !k.pending {
		if !k.asks.allow(id) {
			k.mu.Unlock()
			return true
		}
		k.pending = true
		k.wake <- struct{}{}
	}
	k.mu.Unlock()

	timeout := time.NewTimer(askWait)
	defer timeout.Stop()
	select {
	case <-done:
		return true
	case <-k.stopped:
		return true
	case <-ctx.Done():
	case <-timeout.C:
	}
	return false
}

func (k *remoteKeys) run(ctx context.Context) {
	retry := firstRetry
	for {
		set, err := k.server.fetch(ctx)
		k.finish(set, err)
		wait := k.every
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			retry = firstRetry
		default:
			k.log.WarnContext(ctx, "cannot fetch the issuer's key set", slog.Any("error", err))
			wait = min(retry, k.every)
			retry = min(2*retry, lastRetry)
		}
		timer := time.NewTimer(jittered(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-k.wake:
			timer.Stop()
		case <-timer.C:
		}
		k.begin()
	}
}

// jittered returns nine to eleven tenths of d, so that many processes do not ask
// in step.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // no secret depends on it
}

// begin marks a fetch as pending. All calls since the last one are served by
// this one.
func (k *remoteKeys) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = true
	select {
	case <-k.wake:
	default:
	}
}

func (k *remoteKeys) finish(set keySet, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.set = set
		k.fetched++
	}
	k.err = err
	k.pending = false
	close(k.done)
	k.done = make(chan struct{})
}

// asks bounds the fetches that tokens ask for. It is not safe for concurrent use.
type asks struct {
	limiter *rate.Limiter

	// missed has the key ids that a fetch was asked for and did not bring, with the
	// time when they may be asked for again. The limiter bounds how many there are.
	missed map[string]time.Time
}

func newAsks() asks {
	return asks{rate.NewLimiter(rate.Every(askInterval), askBurst), make(map[string]time.Time)}
}

// allow reports whether a fetch may be asked for a key id, and counts it.
func (a asks) allow(id string) bool {
	now := time.Now()
	maps.DeleteFunc(a.missed, func(_ string, until time.Time) bool { return !now.Before(until) })
	if _, ok := a.missed[id]; ok || !a.limiter.AllowN(now, 1) {
		return false
	}
	a.missed[id] = now.Add(askInterval)
	return true
}
