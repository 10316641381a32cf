package proxy_test

import (
	"context"
	"fmt"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/live"
	"github.com/shapegate/shapegate/authz/spicedb"
)

// sentinel is somebody whose grants show what the proxy has been told. Every write
// of a test is followed by one that concerns the sentinel; once that has arrived,
// so has whatever was written before.
type sentinel struct {
	lease authz.Lease
	count int
}

func (d *deployment) post(keeper *live.Keeper) {
	d.t.Helper()
	lease, err := keeper.Open(authz.Question{
		Subject: authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: "sentinel"}},
		Rule:    authz.Rule{Filters: []authz.Filter{{ResourceType: "note", Permission: "view"}}},
	})
	d.check(err)
	d.sentinel.lease = lease
	for d.told(); !keeper.Current(); d.told() { // until then, all is asked for anew
		d.check(d.t.Context().Err())
	}
}

// told returns once the proxy has been told of everything that was written.
func (d *deployment) told() {
	d.t.Helper()
	d.sentinel.count++
	id := fmt.Sprintf("sentinel-%d", d.sentinel.count)
	d.check(d.spicedb.Touch(d.t.Context(), "note:"+id+"#viewer@user:sentinel"))
	d.until(func(decision authz.Decision, err error) bool { return err == nil && decision.Grants[0].Has(id) })
}

// lost returns once the proxy knows that it is not told any more.
func (d *deployment) lost() {
	d.t.Helper()
	d.until(func(_ authz.Decision, err error) bool { return err != nil })
}

func (d *deployment) until(is func(authz.Decision, error) bool) {
	d.t.Helper()
	ctx := d.context()
	for {
		changed := d.sentinel.lease.Changed()
		decision, err := d.sentinel.lease.Decide(context.WithoutCancel(ctx), authz.Bounded, "")
		if is(decision, err) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			d.t.Fatal("the proxy was not told")
		}
	}
}

// grant writes relationships, and returns once the proxy has been told.
func (d *deployment) grant(relationships ...string) {
	d.t.Helper()
	d.grantUntold(relationships...)
	d.told()
}

// revoke deletes relationships, and returns once the proxy has been told.
func (d *deployment) revoke(relationships ...string) {
	d.t.Helper()
	d.revokeUntold(relationships...)
	d.told()
}

// write writes a relationship, does not wait, and returns the write's ZedToken.
func (d *deployment) write(relationship string) string {
	d.t.Helper()
	r, err := spicedb.ParseRelationship(relationship)
	d.check(err)
	token, err := d.engine.WriteRelationships(d.t.Context(), spicedb.Update{Relationship: r})
	d.check(err)
	return token
}

// grantUntold writes relationships, and does not wait.
func (d *deployment) grantUntold(relationships ...string) {
	d.t.Helper()
	d.check(d.spicedb.Touch(d.t.Context(), relationships...))
}

// revokeUntold deletes relationships, and does not wait.
func (d *deployment) revokeUntold(relationships ...string) {
	d.t.Helper()
	d.check(d.spicedb.Delete(d.t.Context(), relationships...))
}
