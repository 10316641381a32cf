package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/schema"
)

// withClaim is a file of shapes whose caveat context takes a claim.
func withClaim(source string) []byte {
	return []byte("shapes:\n  a:\n    table: a\n    columns: [id]\n    authorize:\n      filter: [{resource: doc, permission: view, column: id}]\n      context:\n        x: " + source + "\n")
}

func TestAClaimIsNamedByItsPath(t *testing.T) {
	for source, want := range map[string][]string{
		`claims.clearance`:                          {"clearance"},
		`claims.app_metadata.org_id`:                {"app_metadata", "org_id"},
		`claims."https://example.com/roles"`:        {"https://example.com/roles"},
		`'claims."https://example.com/roles"'`:      {"https://example.com/roles"},
		`claims."https://example.com/org".id`:       {"https://example.com/org", "id"},
		`claims.a."b.c".d`:                          {"a", "b.c", "d"},
		`'claims."a name"'`:                         {"a name"},
		`claims.roles/all`:                          {"roles/all"},
		`claims.cognito:groups`:                     {"cognito:groups"},
		`claims."https://example.com/a"."b://c.de"`: {"https://example.com/a", "b://c.de"},
	} {
		shapes, err := parseText(t, "shapes.yaml", withClaim(source))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		path := shapes.Shapes[0].Authorize.Context["x"].Path
		if !slices.Equal(path, want) {
			t.Errorf("%s is %q, want %q", source, path, want)
		}
		if got := "claims." + schema.ClaimPath(path); got != strings.Trim(source, "'") {
			t.Errorf("%s is written as %s", source, got)
		}
	}
	for source, want := range map[string]string{
		`claims.https://example.com/roles`: `put a name that has dots in quotes, as in claims."https://example.com/roles"`,
		`'claims.'`:                        "does not name a claim",
		`claims.a..b`:                      "does not name a claim",
		`claims.a.`:                        "does not name a claim",
		`'claims.""'`:                      "does not name a claim",
		`'claims."a'`:                      "does not name a claim",
		`'claims."a"b'`:                    "does not name a claim",
		`'claims.a"b"'`:                    "does not name a claim",
		`'claims.a b'`:                     "does not name a claim",
	} {
		if _, err := parseText(t, "shapes.yaml", withClaim(source)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
}
