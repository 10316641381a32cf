package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/shapegate/shapegate/authz"
)

const (
	fetchTimeout   = 10 * time.Second // for one fetch of the key set
	askWait        = 2 * time.Second  // how long one token waits for a fetch
	askInterval    = 10 * time.Second // between two fetches that tokens ask for, in the mean
	askBurst       = 4                // of those, how many may follow each other at once
	firstRetry     = time.Second      // after a failed fetch; doubles
	lastRetry      = 30 * time.Second // where it stops doubling
	maxKeySetBytes = 256 << 10        // of a key server's answer
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
	url     string
	every   time.Duration
	client  *http.Client
	log     *slog.Logger
	stopped <-chan struct{}
	wake    chan struct{} // holds at most one request to fetch now

	mu      sync.Mutex
	set     keySet        // nil until the first success
	fetched uint64        // how often it was replaced
	err     error         // of the last fetch
	pending bool          // a fetch is under way, or has been asked for
	done    chan struct{} // closed when the pending fetch, or the next, is over
	asks    *rate.Limiter // of fetches that tokens ask for

	// missed has the key ids that a fetch was asked for and did not bring, with the
	// time when they may be asked for again. The limiter bounds how many there are.
	missed map[string]time.Time
}

func startRemoteKeys(ctx context.Context, cfg Config) *remoteKeys {
	k := &remoteKeys{
		url:     cfg.JWKSURL,
		every:   cfg.JWKSRefresh,
		client:  cfg.HTTPClient,
		log:     cfg.Logger,
		stopped: ctx.Done(),
		wake:    make(chan struct{}, 1),
		pending: true, // so that the first tokens wait for the first fetch
		done:    make(chan struct{}),
		asks:    rate.NewLimiter(rate.Every(askInterval), askBurst),
		missed:  make(map[string]time.Time),
	}
	go k.run(ctx)
	return k
}

var (
	errNotFetched = errors.New("the issuer's key set has not been fetched yet")
	errKeyServer  = errors.New("the key server did not answer properly")
)

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
		if !k.mayAsk(id) {
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

// mayAsk reports whether a fetch may be asked for a key id, and counts it. The
// caller holds the lock.
func (k *remoteKeys) mayAsk(id string) bool {
	now := time.Now()
	maps.DeleteFunc(k.missed, func(_ string, until time.Time) bool { return !now.Before(until) })
	if _, ok := k.missed[id]; ok || !k.asks.AllowN(now, 1) {
		return false
	}
	k.missed[id] = now.Add(askInterval)
	return true
}

func (k *remoteKeys) run(ctx context.Context) {
	retry := firstRetry
	for {
		set, err := k.fetch(ctx)
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

// fetch gets the key set. Its errors do not contain the URL, whose user info or
// query may be secret.
func (k *remoteKeys) fetch(ctx context.Context) (keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", errKeyServer, resp.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySetBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyServer, err)
	}
	if len(document) > maxKeySetBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", errKeyServer, maxKeySetBytes)
	}
	set, err := parseKeySet(document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyServer, err)
	}
	return set, nil
}

func withoutURL(err error) error {
	var with *url.Error
	if errors.As(err, &with) {
		err = with.Err
	}
	return fmt.Errorf("%w: %w", errKeyServer, err)
}
