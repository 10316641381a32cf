package proxy_test

import "testing"

// A strict shape asks again once the rows are there: what was revoked while they
// were on their way is not sent.
func TestAStrictShapeSendsNothingThatWasRevokedWhileItWasRead(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	alice.get("/v1/shapes/vault?offset=-1").holds("d1", "d2") // so that the feed is there
	revokeDuring := func() {
		d.onceRowsAreAsked(func() {
			d.revoke("document:" + full("d1") + "#viewer@user:alice")
		})
	}

	revokeDuring()
	first := alice.get("/v1/shapes/vault?offset=-1").holds("d2")
	alice.get("/v1/shapes/vault?"+first.onward()).says("delete d1", "up-to-date")

	d.grant("document:" + full("d1") + "#viewer@user:alice")
	revokeDuring()
	subset := alice.post("/v1/shapes/vault?offset=now&log=changes_only", `{"where":"true = true"}`).holds("d2")
	// The log brings it, since the handle names what the rows were asked for with.
	alice.get("/v1/shapes/vault?log=changes_only&"+subset.onward()).says("delete d1", "up-to-date")
	if n := d.metric("shapegate_rows_withheld_total"); n != 0 {
		t.Errorf("a revocation is counted as a defect of Electric: %v", n)
	}
}
