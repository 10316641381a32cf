package grantcache

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/shapegate/shapegate/authz"
)

// recaller finds the grants that a fingerprint stands for: grants of the past, or of another
// process. What it returns has that fingerprint.
type recaller struct {
	key        authz.FingerprintKey
	tasks      *tasks
	client     *client
	tables     *tables
	remembered *remembered
	forced     *forced

	shared singleflight.Group
	places chan struct{} // one for each recall that is under way, of whatever subject
}

const (
	// recallWait is how long a recall waits for those of other subjects. After a restart
	// there may be one for each reader.
	recallWait = 10 * time.Second

	// mostRecalled is how many earlier grants of a subject are searched for one that differs
	// from a fingerprint's in a few ids.
	mostRecalled = 8
)

var errRecall = errors.New("too many grants of the past are looked up")

// recall is authz.Subscription's Recall. Grants that are remembered cost nothing. Else
// those of today and of the past are tried with the ids put in and taken out that changed
// lately: a set may have been composed while a change of another object was on its way. Else
// SpiceDB is asked, at the revisions of the tokens.
func (r *recaller) recall(ctx context.Context, q *query, f authz.Fingerprint, tokens []authz.ZedToken) (authz.Grants, error) {
	subject, label := q.q.Subject.ObjectRef, q.q.Rule.Label
	if g, ok := r.remembered.get(subject, f); ok {
		return g, nil
	}
	if all := authz.Everything(); all.Fingerprint(r.key, label) == f {
		return all, nil
	}
	ids := q.nearby()
	for _, g := range append(q.today(), r.remembered.some(subject, mostRecalled)...) {
		if found, ok := g.Near(r.key, label, f, ids); ok {
			return found, nil
		}
	}
	if len(tokens) != len(q.q.Rule.Filters) || len(tokens) == 0 {
		return authz.Grants{}, authz.ErrForgotten
	}
	return r.share(ctx, q, f, tokens)
}

// share shares one recall among readers that ask for the same. It goes on when its reader
// goes away, for the others.
func (r *recaller) share(ctx context.Context, q *query, f authz.Fingerprint, tokens []authz.ZedToken) (authz.Grants, error) {
	var key strings.Builder
	key.WriteString(q.key + "\x00" + f.String())
	for _, t := range tokens {
		key.WriteString("\x00" + string(t))
	}
	done := r.shared.DoChan(key.String(), func() (any, error) {
		return r.recallAt(r.tasks.ctx, q, f, tokens)
	})
	select {
	case result := <-done:
		if result.Err != nil {
			return authz.Grants{}, result.Err
		}
		return result.Val.(authz.Grants), nil
	case <-ctx.Done():
		return authz.Grants{}, context.Cause(ctx)
	}
}

// recallAt recalls grants from the revisions of the tokens, and remembers them.
func (r *recaller) recallAt(ctx context.Context, q *query, f authz.Fingerprint, tokens []authz.ZedToken) (authz.Grants, error) {
	leave, err := r.forced.admit(ctx, q.q.Subject.ObjectRef)
	if err != nil {
		return authz.Grants{}, err
	}
	defer leave()
	done, err := r.enter(ctx)
	if err != nil {
		return authz.Grants{}, err
	}
	defer done()
	g, err := r.lookup(ctx, &q.q, tokens)
	if err != nil {
		return authz.Grants{}, err
	}
	found, ok := g.Near(r.key, q.q.Rule.Label, f, append(q.differing(g), q.nearby()...))
	if !ok {
		return authz.Grants{}, authz.ErrForgotten
	}
	r.remembered.put(q.q.Subject.ObjectRef, f, found)
	return found, nil
}

// enter waits for a place among the recalls of all subjects. The caller calls done
// afterwards. Errors are Unavailable, or the context's.
func (r *recaller) enter(ctx context.Context) (done func(), err error) {
	timer := time.NewTimer(recallWait)
	defer timer.Stop()
	select {
	case r.places <- struct{}{}:
		return func() { <-r.places }, nil
	case <-timer.C:
		return nil, authz.E(authz.Unavailable, "recall", errRecall)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// lookup looks the grants up at exactly the revisions of the tokens.
func (r *recaller) lookup(ctx context.Context, q *authz.Question, tokens []authz.ZedToken) (authz.Grants, error) {
	sets := make([]*authz.GrantSet, len(tokens))
	for i, token := range tokens {
		filter := q.Rule.Filters[i]
		if j := slices.Index(q.Rule.Filters[:i], filter); j >= 0 && tokens[j] == token {
			sets[i] = sets[j]
			continue
		}
		if token == "" { // SpiceDB names no revision of an empty answer
			sets[i] = r.tables.of(filter.ResourceType).NewBuilder().Build()
			continue
		}
		var err error
		sets[i], _, err = r.client.lookup(ctx, authz.Lookup{
			Subject: q.Subject.ObjectRef, ResourceType: filter.ResourceType, Permission: filter.Permission,
			Context: contextAt(q.Context, q.Clock, time.Now()), At: token,
		})
		if kind := authz.KindOf(err); err != nil && (kind == authz.Invalid || kind == authz.Unanswerable || kind == authz.Internal) {
			return authz.Grants{}, authz.ErrForgotten
		}
		if err != nil {
			return authz.Grants{}, err
		}
	}
	return authz.GrantsOf(sets...), nil
}
