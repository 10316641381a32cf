package spicedb

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
)

// An Authorizer on a real engine: what it decides follows the relationships.
func TestDecisionsOnARealEngine(t *testing.T) {
	s := startServer(t, "", testRelationships)
	key := authz.NewFingerprintKey([]byte("a secret that all replicas share"))
	a := authz.NewAuthorizer(dial(t, testConfig(s)), key)
	apollo := &authz.Requirement{Resource: authz.ObjectRef{Type: "project", ID: "apollo"}, Permission: "view"}
	decide := func(who string, rule authz.Rule) (authz.Decision, error) {
		t.Helper()
		return a.Decide(t.Context(), authz.Question{Subject: user(who), Rule: rule})
	}

	_, err := decide("bob", authz.Rule{Gate: apollo})
	wantKind(t, err, authz.Denied)
	d, err := decide("alice", authz.Rule{Gate: apollo})
	must(t, err)
	if !d.Unrestricted {
		t.Error("the gate is all that is asked, and it holds")
	}

	rule := authz.Rule{Filters: []authz.Filter{{ResourceType: "document", Permission: "view"}}}
	before, err := decide("alice", rule)
	must(t, err)
	want := []string{"bygroup", "byproject", "direct", "public", "twice"}
	if diff := cmp.Diff(want, slices.Sorted(before.Grants[0].All())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, s.Delete(t.Context(), "document:direct#viewer@user:alice"))
	after, err := decide("alice", rule)
	must(t, err)
	if after.Grants[0].Has("direct") || before.Fingerprint(key) == after.Fingerprint(key) {
		t.Error("a revocation did not change the decision")
	}
	must(t, s.Touch(t.Context(), "document:direct#viewer@user:alice"))
	again, err := decide("alice", rule)
	must(t, err)
	if before.Fingerprint(key) != again.Fingerprint(key) {
		t.Error("the same grants have another fingerprint")
	}
}
