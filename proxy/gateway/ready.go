package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// readiness knows whether requests can be served.
//
// After the start the shape definitions are checked twice: against SpiceDB's schema,
// and against Electric's tables. Both may be away, or not migrated yet, so a check
// that fails is made again until it passes. Shapes are served once SpiceDB's schema
// has what they name; one that its table does not fit fails request by request, and
// keeps the process from being ready, so that a rollout stops at it. What passed
// once counts for the life of the process.
type readiness struct {
	log      *slog.Logger
	shapes   schema.File
	spicedb  *spicedb.Client
	electric *electric.Client
	old      *oldSpiceDB

	known  atomic.Bool // SpiceDB's schema has what the shapes name
	fitted atomic.Bool // Electric's tables have what the shapes name

	mu      sync.Mutex
	failure [2]error // of the last check of each kind
}

func newReadiness(log *slog.Logger, shapes schema.File, s *spicedb.Client, e *electric.Client) *readiness {
	return &readiness{
		log: log, shapes: shapes, spicedb: s, electric: e, old: &oldSpiceDB{log: log, ask: s.ServerVersion},
		failure: [2]error{errUnchecked, errUnchecked},
	}
}

var errUnchecked = errors.New("the shapes are being checked")

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	checkTime  = 2 * time.Second

	// tablesTime is longer: Electric may have to create a log for each shape.
	tablesTime = 30 * time.Second
)

// run makes both checks, side by side, until they pass or ctx ends.
func (r *readiness) run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { r.until(ctx, 0, &r.known, checkTime, r.checkSchema) })
	both.Go(func() { r.until(ctx, 1, &r.fitted, tablesTime, r.checkTables) })
	both.Wait()
	if ctx.Err() == nil {
		r.log.Info("ready", "shapes", len(r.shapes.Shapes), "grants", len(r.shapes.Grants))
	}
}

// until makes a check until it passes, or ctx ends.
func (r *readiness) until(ctx context.Context, which int, passed *atomic.Bool, within time.Duration, check func(context.Context) error) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		bounded, cancel := context.WithTimeout(ctx, within)
		err := check(bounded)
		cancel()
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		changed := err != nil && (r.failure[which] == nil || r.failure[which].Error() != err.Error())
		r.failure[which] = err
		r.mu.Unlock()
		if err == nil {
			passed.Store(true)
			return
		}
		if changed || wait == lastRetry {
			r.complain(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)): //nolint:gosec // spreading, not guarding
		}
	}
}

// complain logs each part of a failed check, with what to do about it.
func (r *readiness) complain(err error) {
	for _, e := range parts(err) {
		var f schema.Finding
		if errors.As(e, &f) {
			r.log.Error("not ready: a shape does not fit its table", "shape", f.Shape, "column", f.Column, "reason", f.Reason, "remedy", f.Remedy)
			continue
		}
		attrs := []any{"reason", reason(e)}
		if reason(e) != e.Error() {
			attrs = append(attrs, "cause", e)
		}
		r.log.Warn("not ready: the shapes could not be checked", attrs...)
	}
}

// checkSchema compares the shapes with SpiceDB's schema.
func (r *readiness) checkSchema(ctx context.Context) error {
	definitions, err := ReadDefinitions(ctx, r.spicedb)
	if err != nil {
		return err
	}
	r.old.check(ctx)
	return r.shapes.Validate(definitions)
}

// checkTables compares the shapes with Electric's tables.
func (r *readiness) checkTables(ctx context.Context) error {
	return CheckTables(ctx, r.electric, r.shapes.Shapes)
}

// check returns nil if requests can be served now, or joined errors.
func (r *readiness) check(ctx context.Context) error {
	if err := r.failures(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return errors.Join(r.spicedb.Ready(ctx), r.electric.Ready(ctx))
}

// failures returns what the last checks have found. That the other check is still made is
// said only where there is nothing else to say.
func (r *readiness) failures() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := errors.Join(r.failure[:]...)
	found := errors.Join(slices.DeleteFunc(slices.Clone(r.failure[:]), func(err error) bool { return errors.Is(err, errUnchecked) })...)
	return cmp.Or(found, all)
}

// warnings returns what keeps nothing from being served and should be mended.
func (r *readiness) warnings(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if warning := r.old.check(ctx); warning != "" {
		return []string{warning}
	}
	return nil
}

// parts returns the errors that were joined to err, or err alone.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // errors.Join's own value
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

// reason says for operators what is wrong and what to do. It has no address and no
// secret, which the cause of a failed call may have.
func reason(err error) string {
	var (
		f    schema.Finding
		s    *schema.Error
		away *electric.UnavailableError
		bad  *electric.ProtocolError
	)
	switch {
	case errors.Is(err, errUnchecked), errors.As(err, &f), errors.As(err, &s):
		return err.Error()
	case errors.As(err, &away):
		return "Electric does not answer: see ELECTRIC_URL, and whether Electric is up"
	case errors.As(err, &bad):
		return "Electric gives an answer that cannot be used: " + bad.Reason
	case errors.Is(err, electric.ErrMustRefetch):
		return "Electric is building a shape anew"
	}
	return spicedb.Explain(err)
}
