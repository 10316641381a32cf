// Package authztest has stand-ins for what decides, for tests of what is done with
// decisions.
package authztest

import (
	"context"

	"github.com/shapegate/shapegate/authz"
)

// Always decides the same for everybody, at any time.
type Always struct{ Decision authz.Decision }

// Subscribe returns a subscription that never changes.
func (a Always) Subscribe(authz.Question) (authz.Subscription, error) { return fixed{a.Decision}, nil }

type fixed struct{ decision authz.Decision }

func (f fixed) Decide(context.Context, authz.Consistency, authz.ZedToken) (authz.Decision, error) {
	return f.decision, nil
}

func (f fixed) Changed() <-chan struct{} { return nil }

func (f fixed) Recall(_ context.Context, name authz.Fingerprint, _ []authz.ZedToken) (authz.Grants, error) {
	if name != f.decision.Fingerprint {
		return authz.Grants{}, authz.ErrForgotten
	}
	return f.decision.Grants, nil
}

func (f fixed) Interrupted(authz.Moment) (authz.Grants, bool) { return authz.Grants{}, true }

func (f fixed) Confirm(_ context.Context, g authz.Grants, _ [][]string) (authz.Grants, error) {
	return g, nil
}

func (f fixed) Release() {}
