package proxy_test

import "github.com/shapegate/shapegate/authz/spicedb"

// heard returns once every replica has heard of everything that was written.
func (d *deployment) heard() {
	d.t.Helper()
	for _, hear := range d.hear {
		d.check(hear(d.context()))
	}
}

// lost returns once the proxy knows that the watch is lost.
func (d *deployment) lost() {
	d.t.Helper()
	d.check(d.sentinel.Lost(d.context()))
}

// grant writes relationships, and returns once the proxy has heard.
func (d *deployment) grant(relationships ...string) {
	d.t.Helper()
	d.grantUnheard(relationships...)
	d.heard()
}

// revoke deletes relationships, and returns once the proxy has heard.
func (d *deployment) revoke(relationships ...string) {
	d.t.Helper()
	d.revokeUnheard(relationships...)
	d.heard()
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

// grantUnheard writes relationships, and does not wait.
func (d *deployment) grantUnheard(relationships ...string) {
	d.t.Helper()
	d.check(d.spicedb.Touch(d.t.Context(), relationships...))
}

// revokeUnheard deletes relationships, and does not wait.
func (d *deployment) revokeUnheard(relationships ...string) {
	d.t.Helper()
	d.check(d.spicedb.Delete(d.t.Context(), relationships...))
}
