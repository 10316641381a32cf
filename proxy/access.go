package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/shapetoken"
	"github.com/shapegate/shapegate/schema"
)

// access is who sends a request, and the subscription to what they may see. It decides
// nothing itself, and keeps no decision: each part of an answer asks anew.
type access struct {
	auth      *authentication
	creds     credentials
	jwt       *identity.Identity // see bearer
	place     *admission         // among the subject's requests
	subject   authz.Subject
	sub       authz.Subscription
	strict    bool // decisions are made at full consistency
	confirms  bool // where they are strict, each message of the log is confirmed besides, see confirm
	decisions *decisions
	fresh     authz.ZedToken    // each decision has seen what this revision has; empty: none is asked for
	only      *shapetoken.Shape // what the credentials are good for; nil: every shape
}

// want notes how fresh decisions about a definition have to be: as it says itself, and as the
// request does.
func (a *access) want(r *http.Request, def *schema.Guarded) error {
	a.strict = def.Consistency == schema.Strict
	fresh, err := freshness(r)
	if fresh != "" {
		a.fresh = fresh
	}
	return err
}

// decide asks what the subject may see now, as fresh as the shape wants it: before rows
// are asked for, and once more when they are there.
func (a *access) decide(ctx context.Context) (authz.Decision, error) {
	consistency := authz.Bounded
	if a.strict {
		consistency = authz.Strict
	}
	return a.ask(ctx, consistency)
}

func (a *access) ask(ctx context.Context, consistency authz.Consistency) (d authz.Decision, err error) {
	start := time.Now()
	d, err = a.sub.Decide(ctx, consistency, a.fresh)
	a.decisions.observe(ctx, time.Since(start), err)
	return d, err
}

// reauthorize asks anew whether the credentials still hold and what the subject may see.
// A request that has waited, for Electric or for a change, must call it before it writes:
// neither a token nor a grant from before the wait is good for what was written since.
func (a *access) reauthorize(ctx context.Context) (authz.Decision, error) {
	if err := a.identify(ctx); err != nil {
		return authz.Decision{}, err
	}
	return a.decide(ctx)
}

// reauthorizeLog is reauthorize for messages of the log. Where they are confirmed one by one
// besides, the decision itself need not ask SpiceDB.
func (a *access) reauthorizeLog(ctx context.Context) (authz.Decision, error) {
	if !a.confirms {
		return a.reauthorize(ctx)
	}
	if err := a.identify(ctx); err != nil {
		return authz.Decision{}, err
	}
	return a.ask(ctx, authz.Bounded)
}

func (a *access) identify(ctx context.Context) error {
	if a.jwt.Holds() {
		return nil
	}
	who, err := a.auth.identify(ctx, &a.creds)
	if err != nil {
		return err
	}
	a.jwt = who.jwt
	if who.subject.ObjectRef != a.subject.ObjectRef {
		return errStaleHandle
	}
	return nil
}

func (a *access) release() {
	a.place.leave()
	if a.sub != nil {
		a.sub.Release()
	}
}
