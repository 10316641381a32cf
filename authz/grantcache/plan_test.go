package grantcache

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
)

// describePlan prints the impact on one permission: "everyone: whole; user:alice: d1-".
func describePlan(m *impact) string {
	text := func(name string, s *scope) string {
		var parts []string
		if s.whole {
			parts = append(parts, "whole")
		}
		for id, c := range s.objects {
			if c.written {
				id += "+"
			}
			if c.deleted {
				id += "-"
			}
			parts = append(parts, id)
		}
		slices.Sort(parts)
		return name + ": " + strings.Join(parts, " ")
	}
	var all []string
	if !m.everyone.isEmpty() {
		all = append(all, text("everyone", &m.everyone))
	}
	for who, s := range m.persons {
		all = append(all, text(who.String(), s))
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		name     string
		updates  []string
		recurses bool
		want     string
	}{
		{"a person's own grant", []string{"document:d1#viewer@user:alice"}, false, "user:alice: d1+"},
		{"taken and given back", []string{"-document:d1#viewer@user:alice", "document:d1#viewer@user:alice"}, false, "user:alice: d1+-"},
		{"two persons", []string{"document:d1#viewer@user:alice", "document:d2#viewer@user:bob"}, false, "user:alice: d1+; user:bob: d2+"},
		{"a group's grant", []string{"-document:d1#viewer@group:g#member"}, false, "everyone: d1-"},
		{"an object of a type that is walked through", []string{"document:d1#viewer@group:g"}, false, "everyone: d1+"},
		{"everybody", []string{"document:d1#viewer@user:*"}, false, "everyone: d1+"},
		{"joining a group", []string{"group:g#member@user:alice"}, false, "user:alice: whole"},
		{"a group in a group", []string{"group:g#member@group:h#member"}, false, "everyone: whole"},
		{"a person's own grant, where it recurses", []string{"-document:d1#viewer@user:alice"}, true, "user:alice: d1- whole"},
		{"a group's grant, where it recurses", []string{"document:d1#viewer@group:g#member"}, true, "everyone: whole"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &permission{permissionKey: permissionKey{"document", "view"}}
			deps := rests("document#viewer", "group#member")
			deps.Subjects["document"] = tt.recurses
			p.deps.Store(&deps)
			m := plan{}.of(p)
			for _, s := range tt.updates {
				u := parseUpdate(s)
				m.add(p, &u, "revision 1")
			}
			if got := describePlan(m); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	t.Run("too many objects", func(t *testing.T) {
		var s scope
		for i := range mostObjects + 1 {
			if s.whole {
				t.Fatalf("as a whole after %d objects", i)
			}
			s.add(fmt.Sprint(i), change{written: true})
		}
		if !s.whole {
			t.Error("one by one")
		}
	})
}

func TestASchemaPlansForThePermissionsThatRestOnARelation(t *testing.T) {
	s := newSchema(nil, nil, nil)
	var all []*permission
	for i, relation := range []string{"document#viewer", "document#owner", "document#viewer"} {
		p := &permission{permissionKey: permissionKey{"document", fmt.Sprint(i)}}
		p.deps.Store(&authz.Dependencies{})
		s.rest(p, rests(relation))
		all = append(all, p)
	}
	s.unknown[all[1]] = struct{}{}
	u := parseUpdate("document:d1#viewer@user:alice")
	got := s.plan(&authz.WatchEvent{Updates: []authz.RelationshipUpdate{u}})
	for i, want := range []string{"user:alice: d1+", "everyone: whole", "user:alice: d1+"} {
		if text := describePlan(got[all[i]]); text != want {
			t.Errorf("permission %d: %q, want %q", i, text, want)
		}
	}
}
