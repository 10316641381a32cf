package spicedb

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

const caveatsSchema = `
caveat on_network(network string, allowed list<string>) {
	network in allowed
}

caveat cleared(clearance int, required int) {
	clearance >= required
}

caveat other(word string) {
	word == "x"
}

definition user {}

definition group {
	relation member: user with on_network
}

definition document {
	relation viewer: user with cleared | group#member
	relation owner: user
	relation word: user with other
	permission view = viewer + owner
	permission own = owner
}
`

// The parameters are those of the caveats behind the permission, groups included,
// and of no others.
func TestCaveatParameters(t *testing.T) {
	c := dial(t, testConfig(spicedbtest.Start(t, spicedbtest.Config{Schema: caveatsSchema})))
	for permission, want := range map[string][]string{
		"view": {"allowed", "clearance", "network", "required"},
		"word": {"word"},
		"own":  nil,
	} {
		got, err := c.CaveatParameters(t.Context(), "document", permission)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", permission, diff)
		}
	}
	_, err := c.CaveatParameters(t.Context(), "document", "nope")
	wantKind(t, err, authz.Unanswerable)
}
