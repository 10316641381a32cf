package live

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// position is how far the watch has come. The keeper's lock guards it, but for the
// channel.
type position struct {
	// newest is the revision of the last event. resume is one that is surely told
	// in full, to watch from again: a revision may come in several events. Neither
	// is good to ask at, see authz.WatchEvent.
	newest, resume authz.ZedToken

	watching bool                    // a stream was asked for, and has not broken
	opened   time.Time               // when it was asked for
	cut      context.CancelCauseFunc // breaks it
	beatNow  chan struct{}           // a beat is due now
}

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// watch follows SpiceDB until ctx ends. A stream that breaks is resumed where it
// was; where that cannot be, everything that is held is looked up again.
func (k *Keeper) watch(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		told, err := k.watchOnce(ctx)
		if ctx.Err() != nil {
			break
		}
		k.broken(ctx, err)
		if told {
			pause = firstPause
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2)) //nolint:gosec // spreading, not guarding
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, lastPause)
	}
	return nil
}

// watchOnce follows one stream, and says whether it told anything.
func (k *Keeper) watchOnce(ctx context.Context) (told bool, err error) {
	k.mu.Lock()
	from := k.position.resume
	k.mu.Unlock()
	if from == "" {
		if from, err = k.startAnew(ctx); err != nil {
			return false, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	k.opened(cancel)
	failed := false
	err = k.engine.Watch(ctx, from, func(e authz.WatchEvent) {
		if failed {
			return // it comes again, after what could not be taken in
		}
		told = true
		if err := k.event(ctx, e); err != nil {
			failed = true
			cancel(err)
		}
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return told, cause
	}
	return told, err
}

// startAnew begins at the newest revision: whatever was kept so far is looked up
// again, and what happened to it before is not known.
func (k *Keeper) startAnew(ctx context.Context) (authz.ZedToken, error) {
	at, canary, err := k.engine.Head(ctx)
	if err != nil {
		return "", err
	}
	k.mu.Lock()
	k.generation++
	k.currency.canary = canary
	k.position.newest, k.position.resume = at, at
	k.metrics.watchStarts.Inc()
	for _, h := range k.holdings {
		if h.valid {
			k.forgetPast(h)
		}
	}
	k.mu.Unlock()
	return at, k.reload(ctx)
}

// askAll has everything asked for anew: at once where somebody waits for changes,
// and otherwise when somebody decides. The caller holds the lock.
func (k *Keeper) askAll() {
	now := time.Now()
	for _, p := range k.permissions {
		p.touched = now
	}
	for _, h := range k.holdings {
		h.touched = now
		h.ask()
		if h.inUse() {
			k.refresh(h)
		}
	}
}

// opened notes that a stream is asked for.
func (k *Keeper) opened(cut context.CancelCauseFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.currency.canary && !k.currency.open {
		// What was missed comes with the stream, but nothing says when it has come.
		k.askAll()
	}
	k.position.watching, k.position.opened, k.position.cut = true, time.Now(), cut
	k.currency.open = true
	k.beatSoon()
}

// broken notes that the stream has ended.
func (k *Keeper) broken(ctx context.Context, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.position.watching = false
	k.currency.open = false
	if errors.Is(err, authz.ErrRevisionGone) {
		k.position.resume = ""
	}
	k.metrics.watchBreaks.Inc()
	level := slog.LevelWarn
	if authz.KindOf(err) != authz.Unavailable {
		level = slog.LevelError
	}
	k.log.LogAttrs(ctx, level, "the watch of SpiceDB broke", slog.Any("cause", err))
}

// event takes in one event. An error ends the stream.
func (k *Keeper) event(ctx context.Context, e authz.WatchEvent) error {
	if err := k.takeIn(ctx, e); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if n, ok := e.Beats[k.process]; ok {
		k.currency.returned(n)
		k.removeDoubts(n)
	}
	return nil
}

func (k *Keeper) takeIn(ctx context.Context, e authz.WatchEvent) error {
	k.mu.Lock()
	if e.Through != k.position.newest {
		k.position.resume, k.position.newest = k.position.newest, e.Through
	}
	if e.Checkpoint {
		k.position.resume = e.Through
	}
	if e.SchemaChanged {
		k.generation++
		for _, h := range k.holdings {
			h.ask()
		}
	}
	for i := range e.Updates {
		k.update(&e.Updates[i])
	}
	k.mu.Unlock()
	if !e.SchemaChanged {
		return nil
	}
	// Until it is known what permissions rest on now, no event can be told what it
	// concerns: the stream waits.
	_, canary, err := k.engine.Head(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.currency.canary = canary
	k.mu.Unlock()
	return k.reload(ctx)
}

// reload asks anew what every permission rests on. A permission of which that is not
// said, because the schema does not have it any more or for whatever reason, counts
// as resting on everything.
func (k *Keeper) reload(ctx context.Context) error {
	k.mu.Lock()
	all := k.loaded()
	k.mu.Unlock()
	for _, p := range all {
		deps, err := k.engine.Dependencies(ctx, p.definition, p.name)
		if err != nil && authz.KindOf(err) == authz.Unavailable {
			return err
		}
		if err != nil {
			k.log.LogAttrs(ctx, slog.LevelWarn, "what a permission rests on is not known: every change counts as one of it",
				slog.String("definition", p.definition), slog.String("permission", p.name), slog.Any("cause", err))
		}
		k.mu.Lock()
		p.unknown = err != nil
		k.rest(p, deps)
		k.mu.Unlock()
	}
	// What was asked for while this was not known may rest on more than was
	// watched for.
	k.mu.Lock()
	k.queue.away = nil // SpiceDB answers
	k.askAll()
	k.mu.Unlock()
	return nil
}

// update marks whatever a change of a relationship may change. The caller holds
// the lock.
func (k *Keeper) update(u *authz.RelationshipUpdate) {
	now := time.Now()
	for p := range k.unknown {
		p.touched = now
		for _, holdings := range p.holders {
			for h := range holdings {
				k.touched(h, u, false)
			}
		}
	}
	for _, p := range k.relations[authz.Relation{Definition: u.Resource.Type, Name: u.Relation}] {
		p.touched = now
		// One object of the permission's own definition, none of which rests on
		// another one.
		one := u.Resource.Type == p.definition && !p.deps.Subjects[p.definition]
		if p.concernsOne(u) {
			for h := range p.holders[u.Subject] {
				k.touched(h, u, one)
			}
			continue
		}
		for _, holdings := range p.holders {
			for h := range holdings {
				k.touched(h, u, one)
			}
		}
	}
}

// concernsOne reports whether a change of a relationship can change the permission
// for nobody but the relationship's subject.
func (p *permission) concernsOne(u *authz.RelationshipUpdate) bool {
	return u.SubjectRelation == "" && u.Subject.ID != authz.Wildcard && !p.deps.Walked[u.Subject.Type]
}

// touched has a holding asked for anew, as far as it needs to be. The caller holds
// the lock.
func (k *Keeper) touched(h *holding, u *authz.RelationshipUpdate, one bool) {
	if one && !h.isLookup() && h.resource != u.Resource.ID {
		return
	}
	one = one && h.isLookup()
	h.touched = time.Now()
	h.wanted++
	h.flicker.note(u, h.subject, one)
	if one {
		h.askOne(u.Resource.ID)
	} else {
		h.whole = true
	}
	if h.inUse() {
		k.refresh(h)
	}
}
