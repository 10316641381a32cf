// Package authztest has stand-ins for what decides, for tests of what is done with
// decisions.
package authztest

import (
	"context"

	"github.com/shapegate/shapegate/authz"
)

// Always is an authorizer that decides the same for everybody, at any time.
type Always struct{ Decision authz.Decision }

// Open returns a lease that never changes.
func (a Always) Open(authz.Question) (authz.Lease, error) { return fixed{a.Decision}, nil }

type fixed struct{ decision authz.Decision }

func (f fixed) Decide(context.Context, authz.Consistency, authz.ZedToken) (authz.Decision, error) {
	return f.decision, nil
}

func (f fixed) Changed() <-chan struct{} { return nil }

func (f fixed) Since(now authz.Decision, _ authz.Mark, name authz.Fingerprint) (authz.Change, bool) {
	return now.Unchanged(), name == now.Name
}

func (f fixed) Confirm(_ context.Context, d authz.Decision, _ [][]string) (authz.Decision, error) {
	return d, nil
}

func (f fixed) Release() {}
