// Package prerequisite is for tests that need a program which is no part of the project:
// node, redis-server, chromium, nginx.
package prerequisite

import (
	"os"
	"testing"
)

// Missing skips the test, and says why: a program is missing. Where SHAPEGATE_TEST_REQUIRE_ALL
// is set, as in CI, everything is required to be there, and the test fails.
func Missing(t testing.TB, why any) {
	t.Helper()
	if os.Getenv("SHAPEGATE_TEST_REQUIRE_ALL") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
