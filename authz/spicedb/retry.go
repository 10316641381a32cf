package spicedb

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// maxAttempts is how often a read is sent without any progress. With the
	// pauses below, a server that refuses connections is given up after less
	// than half a second: readers should hear of it soon.
	maxAttempts = 4

	firstPause = 50 * time.Millisecond
)

// retry makes an idempotent call up to maxAttempts times, as long as it fails in
// a way that may pass and ctx lasts. A single attempt is given at most
// attemptTimeout, so that one that hangs leaves time for another.
func retry[T any](ctx context.Context, attemptTimeout time.Duration, call func(context.Context) (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		res, err := try(ctx, attemptTimeout, call)
		if err == nil || !passing(err) || attempt == maxAttempts || !pause(ctx, attempt) {
			return res, err
		}
	}
}

func try[T any](ctx context.Context, timeout time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return call(ctx)
}

// pause waits before the attempt that follows the given one, twice as long each
// time, by a random half so that clients do not come back together. It reports
// whether ctx still lasts.
func pause(ctx context.Context, attempt int) bool {
	most := firstPause << (attempt - 1)
	timer := time.NewTimer(most/2 + rand.N(most/2)) //nolint:gosec // nothing is gained by foreseeing it
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
