package authz

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Authorizer turns questions into decisions by asking an Engine.
//
// It keeps no answer: every decision is asked for anew, after the call to Decide
// began. Nor do two equal questions share one answer, since the later one might
// then be given grants from before it was asked. What it keeps is the numbering
// of object ids, one table for each resource type, for as long as it lives.
type Authorizer struct {
	engine Engine
	key    FingerprintKey

	mu  sync.Mutex
	ids map[string]*IDs // by resource type
}

// NewAuthorizer returns an Authorizer whose grant sets are fingerprinted with
// key.
func NewAuthorizer(engine Engine, key FingerprintKey) *Authorizer {
	return &Authorizer{engine: engine, key: key, ids: make(map[string]*IDs)}
}

// Decide answers a question as of now.
//
// Errors are Denied where the gate does not hold, Invalid where the question
// cannot be asked (a subject that SpiceDB would not accept, a rule that guards
// nothing), and the engine's own. With an error there is no decision, and
// nothing is permitted: a lookup that broke off never becomes a smaller set.
//
// Lookups may be a thousand times dearer than checks, so none starts before the
// checks have shown that it is needed.
func (a *Authorizer) Decide(ctx context.Context, q Question) (Decision, error) {
	if err := q.validate(); err != nil {
		return Decision{}, err
	}
	unrestricted, err := a.checks(ctx, q)
	if err != nil {
		return Decision{}, err
	}
	if unrestricted || len(q.Rule.Filters) == 0 {
		return Decision{Unrestricted: true}, nil
	}
	grants, err := a.lookups(ctx, q)
	if err != nil {
		return Decision{}, err
	}
	return Decision{Grants: grants}, nil
}

var errUnguarded = errors.New("the rule has neither a gate nor a filter")

func (q Question) validate() error {
	if _, err := NewObjectRef(q.Subject.Type, q.Subject.ID); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	if q.Rule.Gate == nil && len(q.Rule.Filters) == 0 {
		return E(Invalid, "decide", errUnguarded)
	}
	for _, r := range []*Requirement{q.Rule.Gate, q.Rule.Unrestricted} {
		if r == nil {
			continue
		}
		if _, err := NewObjectRef(r.Resource.Type, r.Resource.ID); err != nil {
			return fmt.Errorf("resource: %w", err)
		}
	}
	return nil
}

// checks asks for the gate, and whether the subject is unrestricted, at the same
// time. What the gate says comes first, so that the same state always gets the
// same answer: a gate that does not hold is Denied even if the other check
// failed.
func (a *Authorizer) checks(ctx context.Context, q Question) (unrestricted bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var other errgroup.Group
	// Without a filter the gate is all that is asked: nobody is less than
	// unrestricted.
	if len(q.Rule.Filters) > 0 {
		other.Go(func() (err error) {
			unrestricted, err = a.holds(ctx, q, q.Rule.Unrestricted)
			return err
		})
	}
	err = a.gate(ctx, q)
	if err != nil {
		cancel()
	}
	otherErr := other.Wait()
	if err != nil {
		return false, err
	}
	if otherErr != nil {
		return false, fmt.Errorf("unrestricted: %w", otherErr)
	}
	return unrestricted, nil
}

func (a *Authorizer) gate(ctx context.Context, q Question) error {
	if q.Rule.Gate == nil {
		return nil
	}
	held, err := a.holds(ctx, q, q.Rule.Gate)
	if err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	if !held {
		return E(Denied, "gate", fmt.Errorf("%s does not have %s on %s", q.Subject, q.Rule.Gate.Permission, q.Rule.Gate.Resource))
	}
	return nil
}

// holds reports whether the subject meets the requirement, which nobody does if
// there is none.
func (a *Authorizer) holds(ctx context.Context, q Question, r *Requirement) (bool, error) {
	if r == nil {
		return false, nil
	}
	return a.engine.CheckPermission(ctx, q.Subject, r.Resource, r.Permission, q.Context)
}

// lookups asks for the grants of all filters at the same time. Filters that
// differ in nothing that SpiceDB knows of (a shape may compare two columns with
// the same permission) share a lookup.
func (a *Authorizer) lookups(ctx context.Context, q Question) ([]*GrantSet, error) {
	grants := make([]*GrantSet, len(q.Rule.Filters))
	first := make(map[Filter]int, len(q.Rule.Filters))
	group, ctx := errgroup.WithContext(ctx)
	for i, f := range q.Rule.Filters {
		if _, ok := first[f]; ok {
			continue
		}
		first[f] = i
		group.Go(func() (err error) {
			grants[i], err = a.lookup(ctx, q, f)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, f := range q.Rule.Filters {
		grants[i] = grants[first[f]]
	}
	return grants, nil
}

func (a *Authorizer) lookup(ctx context.Context, q Question, f Filter) (*GrantSet, error) {
	b := a.idsOf(f.ResourceType).NewBuilder()
	err := a.engine.LookupResources(ctx, q.Subject, f.ResourceType, f.Permission, q.Context, b.Add)
	if err != nil {
		return nil, fmt.Errorf("filter %s#%s: %w", f.ResourceType, f.Permission, err)
	}
	return b.Build(), nil
}

func (a *Authorizer) idsOf(resourceType string) *IDs {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids, ok := a.ids[resourceType]
	if !ok {
		ids = NewIDs(a.key)
		a.ids[resourceType] = ids
	}
	return ids
}
