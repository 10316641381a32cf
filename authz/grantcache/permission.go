package grantcache

import (
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

type permissionKey struct{ definition, name string }

func (k permissionKey) String() string { return k.definition + "#" + k.name }

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

// touchedAt notes that the watch brought what may concern the permission.
func (p *permission) touchedAt(ns int64) {
	if was := p.touched.Load(); ns > was {
		p.touched.CompareAndSwap(was, ns) // or it was touched later meanwhile
	}
}

func (p *permission) lastTouched() time.Time { return time.Unix(0, p.touched.Load()) }

// recurses reports whether one object's permission may rest on the relationships of
// another object of its type.
func (p *permission) recurses() bool { return p.dependencies().Subjects[p.definition] }

func (p *permission) isLoaded() bool {
	select {
	case <-p.loading:
		return true
	default:
		return false
	}
}
