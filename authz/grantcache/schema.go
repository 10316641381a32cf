package grantcache

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

type permissionKey struct{ definition, name string }

// permission is what is known of one permission that is asked about. Its dependencies
// change with the schema.
type permission struct {
	permissionKey
	deps    atomic.Pointer[authz.Dependencies]
	touched atomic.Int64  // when the watch last brought a change that may concern it, in ns
	entries atomic.Int64  // how many there are
	loading chan struct{} // closed when the first load has ended
	err     error         // of the first load
	failed  time.Time     // when it ended with err

	flushing atomic.Bool // a flush of the refresher is due
}

func (p *permission) dependencies() *authz.Dependencies { return p.deps.Load() }

func (p *permission) lastTouched() time.Time { return time.Unix(0, p.touched.Load()) }

// recurses reports whether one object's permission may rest on the relationships of
// another object of its type.
func (p *permission) recurses() bool { return p.dependencies().Subjects[p.definition] }

// schema is which permissions are asked about, and which relations they rest on.
type schema struct {
	c           *Cache
	mu          sync.RWMutex
	permissions map[permissionKey]*permission
	relations   map[authz.Relation][]*permission
	unknown     map[*permission]bool // what they rest on is not known: on everything
	generation  uint64
}

func (s *schema) init(c *Cache) {
	s.c = c
	s.permissions = make(map[permissionKey]*permission)
	s.relations = make(map[authz.Relation][]*permission)
	s.unknown = make(map[*permission]bool)
}

// permissionOf returns a permission, with what it rests on. It asks SpiceDB for that
// once, and again when the schema changes.
func (s *schema) permissionOf(ctx context.Context, key permissionKey) (*permission, error) {
	s.mu.RLock()
	p := s.permissions[key]
	s.mu.RUnlock()
	if p == nil {
		s.mu.Lock()
		if p = s.permissions[key]; p == nil {
			p = &permission{permissionKey: key, loading: make(chan struct{})}
			p.deps.Store(&authz.Dependencies{})
			if !s.c.tasks.start(func() { s.load(p) }) {
				s.mu.Unlock()
				return nil, authz.E(authz.Unavailable, "decide", errClosed)
			}
			s.permissions[key] = p
		}
		s.mu.Unlock()
	}
	select {
	case <-p.loading:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if p.err != nil {
		s.forget(p)
	}
	return p, p.err
}

// forget drops a permission whose first load failed: at once if it may pass, and after a
// moment if SpiceDB does not have the permission.
func (s *schema) forget(p *permission) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.permissions[p.permissionKey] == p && (authz.KindOf(p.err) != authz.Unanswerable || time.Since(p.failed) > unanswerableFor) {
		delete(s.permissions, p.permissionKey)
	}
}

// load asks what a new permission rests on.
func (s *schema) load(p *permission) {
	defer close(p.loading)
	for {
		s.mu.RLock()
		generation := s.generation
		s.mu.RUnlock()
		deps, err := s.c.cfg.Engine.Dependencies(s.c.tasks.ctx, p.definition, p.name)
		if err != nil {
			p.err, p.failed = err, time.Now()
			s.c.failures.reportUnanswerable(p.permissionKey, err)
			return
		}
		s.mu.Lock()
		if s.generation == generation {
			s.rest(p, deps)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock() // the schema changed meanwhile
	}
}

// rest notes what a permission rests on. The caller holds the lock.
func (s *schema) rest(p *permission, deps authz.Dependencies) {
	for r := range p.dependencies().Relations {
		s.relations[r] = slices.DeleteFunc(s.relations[r], func(q *permission) bool { return q == p })
	}
	delete(s.unknown, p)
	p.deps.Store(&deps)
	for r := range deps.Relations {
		s.relations[r] = append(s.relations[r], p)
	}
}

// schemaChanged begins a new generation: permissions that are being loaded are loaded
// again, those that SpiceDB did not have may be there now.
func (s *schema) schemaChanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	for key, p := range s.permissions {
		if p.isLoaded() && p.err != nil {
			delete(s.permissions, key)
		}
	}
}

func (p *permission) isLoaded() bool {
	select {
	case <-p.loading:
		return true
	default:
		return false
	}
}

// reload asks anew what every permission rests on, and touches every entry. A permission
// of which that is not said, because the schema does not have it any more or for another
// reason that will not pass, counts as resting on everything. The error is Unavailable.
func (s *schema) reload(ctx context.Context) error {
	s.mu.RLock()
	all := make([]*permission, 0, len(s.permissions))
	for _, p := range s.permissions {
		if p.isLoaded() && p.err == nil {
			all = append(all, p)
		}
	}
	s.mu.RUnlock()
	for _, p := range all {
		deps, err := s.c.cfg.Engine.Dependencies(ctx, p.definition, p.name)
		if err != nil && authz.KindOf(err) != authz.Unanswerable && authz.KindOf(err) != authz.Internal {
			return err
		}
		s.mu.Lock()
		s.rest(p, deps)
		s.unknown[p] = err != nil
		s.mu.Unlock()
		if err != nil {
			s.c.failures.report("dependencies of "+p.definition+"#"+p.name, slog.LevelWarn,
				"SpiceDB does not say what a permission rests on: every change counts as one of it",
				slog.String("definition", p.definition), slog.String("permission", p.name), slog.Any("cause", err))
		}
	}
	s.c.scheduler.note(nil, time.Now())
	s.c.watcher.touchAll()
	return nil
}

// restingOn calls do with the permissions that a relationship may change.
func (s *schema) restingOn(u *authz.RelationshipUpdate, do func(p *permission, isKnown bool)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for p, unknown := range s.unknown {
		if unknown {
			do(p, false)
		}
	}
	for _, p := range s.relations[authz.Relation{Definition: u.Resource.Type, Name: u.Relation}] {
		do(p, true)
	}
}
