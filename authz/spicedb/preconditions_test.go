package spicedb

import (
	"errors"
	"slices"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

func TestAWriteIsDoneIfItsPreconditionsHold(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: testSchema, Relationships: []string{"document:a#project@project:apollo"}})
	c := dial(t, testConfig(s))
	in := RelationshipFilter{ResourceType: "document", ResourceID: "a", Relation: "project", SubjectType: "project", SubjectID: "apollo"}
	elsewhere := in
	elsewhere.SubjectID = "gemini"
	for _, tt := range []struct {
		name  string
		given []Precondition
		held  bool
	}{
		{"none", nil, true},
		{"what is there must be", []Precondition{{Filter: in}}, true},
		{"what is not there must be", []Precondition{{Filter: elsewhere}}, false},
		{"what is not there must not be", []Precondition{{Filter: elsewhere, Absent: true}}, true},
		{"what is there must not be", []Precondition{{Filter: in, Absent: true}}, false},
		{"one of two", []Precondition{{Filter: in}, {Filter: elsewhere}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			viewer, err := ParseRelationship("document:a#viewer@user:alice")
			must(t, err)
			_, err = c.WriteRelationships(t.Context(), Update{Delete, viewer})
			must(t, err)
			token, err := c.WriteRelationshipsIf(t.Context(), tt.given, Update{Touch, viewer})
			written := slices.Contains(read(t, c, RelationshipFilter{ResourceType: "document"}), viewer.String())
			if written != tt.held || (token != "") != tt.held {
				t.Errorf("written: %v, token %q, %v", written, token, err)
			}
			if !tt.held {
				wantKind(t, err, authz.Invalid)
				if !errors.Is(err, ErrPrecondition) {
					t.Errorf("the cause is %v", err)
				}
			} else {
				must(t, err)
			}
		})
	}
	// Another mistake is not taken for it.
	unknown, err := ParseRelationship("document:a#nothing@user:alice")
	must(t, err)
	if _, err = c.WriteRelationshipsIf(t.Context(), []Precondition{{Filter: in}}, Update{Touch, unknown}); err == nil || errors.Is(err, ErrPrecondition) {
		t.Errorf("a relation that is not in the schema: %v", err)
	}
}
