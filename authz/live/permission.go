package live

import (
	"context"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
)

type permissionKey struct{ definition, name string }

// permission is what is known of one permission that somebody asks about: what
// it rests on, and who holds an answer about it. The keeper's lock guards it.
type permission struct {
	permissionKey
	deps    authz.Dependencies
	touched time.Time     // when the watch last told of a change that may concern it
	unknown bool          // deps is not what it rests on, which may be anything
	loading chan struct{} // closed when the first load has ended
	err     error         // of the first load

	holders map[authz.ObjectRef]map[*holding]struct{} // by subject
}

// permissionOf returns a permission, with what it rests on. It asks SpiceDB for
// that once, and again when the schema changes.
func (k *Keeper) permissionOf(ctx context.Context, key permissionKey) (*permission, error) {
	k.mu.Lock()
	p, ok := k.permissions[key]
	if !ok && k.closed {
		k.mu.Unlock()
		return nil, authz.E(authz.Unavailable, "decide", errClosed)
	}
	if !ok {
		p = &permission{
			permissionKey: key,
			loading:       make(chan struct{}),
			holders:       make(map[authz.ObjectRef]map[*holding]struct{}),
		}
		k.permissions[key] = p
		k.goLocked(func() { k.load(p) })
	}
	k.mu.Unlock()
	select {
	case <-p.loading:
		return p, p.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// load asks what a new permission rests on. One that cannot be had is forgotten,
// so that the next one who asks tries again.
func (k *Keeper) load(p *permission) {
	defer close(p.loading)
	for {
		k.mu.Lock()
		generation := k.generation
		k.mu.Unlock()
		deps, err := k.engine.Dependencies(k.ctx, p.definition, p.name)

		k.mu.Lock()
		if err != nil {
			p.err = err
			delete(k.permissions, p.permissionKey)
			k.mu.Unlock()
			return
		}
		if k.generation == generation {
			k.rest(p, deps)
			k.mu.Unlock()
			return
		}
		k.mu.Unlock() // the schema changed meanwhile
	}
}

// rest notes what a permission rests on. The caller holds the lock.
func (k *Keeper) rest(p *permission, deps authz.Dependencies) {
	for r := range p.deps.Relations {
		k.relations[r] = slices.DeleteFunc(k.relations[r], func(q *permission) bool { return q == p })
	}
	if p.unknown {
		k.unknown[p] = struct{}{}
	} else {
		delete(k.unknown, p)
	}
	p.deps = deps
	for r := range deps.Relations {
		k.relations[r] = append(k.relations[r], p)
	}
}

// loaded lists the permissions whose first load has succeeded. The caller holds
// the lock.
func (k *Keeper) loaded() []*permission {
	var all []*permission
	for _, p := range k.permissions {
		select {
		case <-p.loading:
			all = append(all, p)
		default: // load itself sees that the schema changed
		}
	}
	return all
}
