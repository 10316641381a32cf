package grantcache

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// schema is which permissions are asked about, and which relations they rest on.
type schema struct {
	engine   authz.Engine
	tasks    *tasks
	failures *failures

	mu          sync.RWMutex
	permissions map[permissionKey]*permission
	relations   map[authz.Relation][]*permission
	unknown     map[*permission]struct{} // what they rest on is not known: on everything
	generation  uint64

	touched atomic.Int64 // when the watch last began, or brought a change of anything, in ns
}

func newSchema(engine authz.Engine, tasks *tasks, failures *failures) *schema {
	return &schema{
		engine: engine, tasks: tasks, failures: failures,
		permissions: make(map[permissionKey]*permission),
		relations:   make(map[authz.Relation][]*permission),
		unknown:     make(map[*permission]struct{}),
	}
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
			if !s.tasks.start(func() { s.load(p) }) {
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
		deps, err := s.engine.Dependencies(s.tasks.ctx, p.definition, p.name)
		if err != nil {
			p.err, p.failed = err, time.Now()
			s.failures.reportUnanswerable(p.permissionKey, err)
			return
		}
		s.mu.Lock()
		if s.generation == generation {
			s.rest(p, deps)
			p.touchedAt(s.touched.Load()) // what came before may have concerned it
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

// reload asks anew what every permission rests on. A permission
// of which that is not said, because the schema does not have it any more or for another
// reason that will not pass, counts as resting on everything. The error is Unavailable.
func (s *schema) reload(ctx context.Context) error {
	for _, p := range s.all() {
		if !p.isLoaded() || p.err != nil {
			continue
		}
		deps, err := s.engine.Dependencies(ctx, p.definition, p.name)
		if err != nil && authz.KindOf(err) != authz.Unanswerable && authz.KindOf(err) != authz.Internal {
			return err
		}
		s.mu.Lock()
		s.rest(p, deps)
		if err != nil {
			s.unknown[p] = struct{}{}
		}
		s.mu.Unlock()
		if err != nil {
			s.failures.report("dependencies of "+p.String(), slog.LevelWarn,
				"SpiceDB does not say what a permission rests on: every change counts as one of it",
				slog.String("definition", p.definition), slog.String("permission", p.name), slog.Any("cause", err))
		}
	}
	s.touched.Store(time.Now().UnixNano()) // by what was written before the watch begins
	return nil
}

// plan says whom the updates of one event of the watch may concern.
func (s *schema) plan(event *authz.WatchEvent) plan {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.touched.Store(time.Now().UnixNano())
	pl := make(plan)
	for i := range event.Updates {
		u := &event.Updates[i]
		for p := range s.unknown {
			pl.of(p).everyone.changed(event.Through)
		}
		for _, p := range s.relations[authz.Relation{Definition: u.Resource.Type, Name: u.Relation}] {
			pl.of(p).add(p, u, event.Through)
		}
	}
	return pl
}

// all returns every permission, also those that are being loaded.
func (s *schema) all() []*permission {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.permissions))
}
