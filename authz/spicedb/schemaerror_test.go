package spicedb

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
)

// The messages are those of SpiceDB 1.56.
func TestExplainSchema(t *testing.T) {
	const text = "definition user {}\ndefinition group {\n\trelation owner: user\n}\ndefinition plan {\n\trelation member: usr\n\tpermission view = owner\n}\n"
	for message, want := range map[string]string{
		"parse error in `schema`, line 3, column 17: Expected one of: [TokenTypeColon], found: TokenTypeIdentifier": `a.zed:3:17: expected is ":", and there is a name`,
		"could not lookup definition `usr` for relation `member`: object definition `usr` not found":                "a.zed:6: could not lookup definition `usr` for relation `member`: object definition `usr` not found",
		"relation/permission `owner` not found under definition `plan`":                                             "a.zed:7: relation/permission `owner` not found under definition `plan`",
		"cannot delete relation `gone` in definition `plan`, as a relationship exists under it":                     "a.zed: cannot delete relation `gone` in definition `plan`, as a relationship exists under it",
	} {
		err := authz.E(authz.Invalid, "write schema", status.Error(codes.InvalidArgument, message))
		if got := ExplainSchema(err, "a.zed", text); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	away := authz.E(authz.Unavailable, "write schema", status.Error(codes.Unavailable, "`usr`"))
	if got := ExplainSchema(away, "a.zed", text); got != Explain(away) {
		t.Errorf("got %s", got)
	}
}
