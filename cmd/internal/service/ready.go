package service

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// readiness knows whether requests can be served.
//
// Once, after the start, the shape definitions have to be found good against
// SpiceDB's schema. Until then nothing is served: SpiceDB may be away, or its
// schema not written yet, and both can mend themselves, so the process waits. A
// definition that is wrong is said so in the log each time it is found wrong.
type readiness struct {
	log      *slog.Logger
	shapes   []schema.Shape
	spicedb  *spicedb.Client
	electric *electric.Client

	validated atomic.Bool
}

func newReadiness(log *slog.Logger, shapes []schema.Shape, s *spicedb.Client, e *electric.Client) *readiness {
	return &readiness{log: log, shapes: shapes, spicedb: s, electric: e}
}

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	checkTime  = 2 * time.Second
)

// run validates the shapes, again and again until they are found good, or ctx
// ends.
func (r *readiness) run(ctx context.Context) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := r.validate(ctx)
		if err == nil {
			r.validated.Store(true)
			r.log.Info("ready", "shapes", len(r.shapes))
			return
		}
		if ctx.Err() != nil {
			return
		}
		r.log.Warn("not ready: the shapes could not be validated", "cause", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)): //nolint:gosec // spreading, not guarding
		}
	}
}

func (r *readiness) validate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	definitions, err := r.spicedb.Reflect(ctx)
	if err != nil {
		return err
	}
	known := make([]schema.Definition, len(definitions))
	for i, d := range definitions {
		known[i] = schema.Definition(d)
	}
	return schema.Validate(r.shapes, known)
}

var errNotValidated = errors.New("the shapes were not validated yet")

// check reports whether requests can be served now.
func (r *readiness) check(ctx context.Context) error {
	if !r.validated.Load() {
		return errNotValidated
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return errors.Join(r.spicedb.Ready(ctx), r.electric.Ready(ctx))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
