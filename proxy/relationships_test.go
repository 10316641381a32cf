package proxy_test

import "github.com/shapegate/shapegate/authz/spicedb"

// told returns once the proxy has been told of everything that was written.
func (d *deployment) told() {
	d.t.Helper()
	d.check(d.sentinel.Told(d.context()))
}

// lost returns once the proxy knows that it is not told any more.
func (d *deployment) lost() {
	d.t.Helper()
	d.check(d.sentinel.Lost(d.context()))
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
