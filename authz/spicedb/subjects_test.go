package spicedb

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
)

func TestSubjectsOfAnObject(t *testing.T) {
	s := startServer(t, "", append(testRelationships,
		"document:public#banned@user:mallory", "document:public#viewer@user:zoe"))
	c := dial(t, testConfig(s))
	for id, want := range map[string][]string{
		"direct":  {"alice"},
		"bygroup": {"alice"},
		"twice":   {"alice"},
		"missing": nil,
		"public":  {"* but mallory", "zoe"},
		"office":  {"alice on a condition"},
		"other":   {"bob"},
	} {
		var got []string
		token, err := c.LookupSubjects(t.Context(), document(id), "view", "user", func(f authz.SubjectFound) {
			text := f.ID
			for x := range f.Excluded {
				text += " but " + x
			}
			if f.Conditional {
				text += " on a condition"
			}
			got = append(got, text)
		})
		must(t, err)
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
		if (token == "") != (want == nil) {
			t.Errorf("%s: token %q", id, token)
		}
	}
	_, err := c.LookupSubjects(t.Context(), document("direct"), "veiw", "user", func(authz.SubjectFound) {})
	wantKind(t, err, authz.Unanswerable)
	_, err = c.LookupSubjects(t.Context(), document("*"), "view", "user", func(authz.SubjectFound) {})
	wantKind(t, err, authz.Invalid)
	s.Pause()
	_, err = c.LookupSubjects(t.Context(), document("direct"), "view", "user", func(authz.SubjectFound) {})
	wantKind(t, err, authz.Unavailable)
}

// LookupResources respects what a wildcard excludes.
func TestALookupLeavesOutWhatAWildcardExcludes(t *testing.T) {
	relationships := []string{
		"document:open#viewer@user:*",
		"document:closed#viewer@user:*", "document:closed#banned@user:alice",
		"document:again#viewer@user:*", "document:again#viewer@user:alice", "document:again#banned@user:alice",
		"project:apollo#member@user:alice", "document:byproject#viewer@user:*",
		"document:byproject#project@project:apollo", "document:byproject#banned@user:alice",
	}
	for version, name := range versions {
		c := dial(t, testConfig(startServer(t, name, relationships)))
		for who, want := range map[string][]string{
			"alice": {"open"}, "bob": {"again", "byproject", "closed", "open"},
		} {
			got, err := lookup(t.Context(), c, user(who), nil)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", version, who, diff)
			}
		}
	}
}

func TestALookupAtARevisionIsOfThatRevision(t *testing.T) {
	for version, name := range versions {
		s := startServer(t, name, nil)
		c := dial(t, testConfig(s))
		at := func(token authz.ZedToken) (ids []string, err error) {
			l := lookupOf(user("alice"), nil)
			l.At = token
			_, err = c.LookupResources(t.Context(), l, func(id string) { ids = append(ids, id) })
			slices.Sort(ids)
			return ids, err
		}
		var tokens []authz.ZedToken
		var want [][]string
		var held []string
		for i := range 5 {
			id := fmt.Sprint("d", i)
			must(t, s.Touch(t.Context(), "document:"+id+"#viewer@user:alice"))
			token, err := c.LookupResources(t.Context(), lookupOf(user("alice"), nil), func(string) {})
			must(t, err)
			held = append(held, id)
			tokens, want = append(tokens, token), append(want, slices.Clone(held))
		}
		for i, token := range tokens {
			got, err := at(token)
			must(t, err)
			if diff := cmp.Diff(want[i], got); diff != "" {
				t.Errorf("%s, revision %d (-want +got):\n%s", version, i, diff)
			}
		}
		_, err := at("made up")
		wantKind(t, err, authz.Invalid)
	}
}

func TestATokenThatSpiceDBRefusesIsInvalid(t *testing.T) {
	s := startServer(t, "", testRelationships)
	c := dial(t, testConfig(s))
	token, err := c.LookupResources(t.Context(), lookupOf(user("alice"), nil), func(string) {})
	must(t, err)
	must(t, c.Reach(t.Context(), token))
	for _, made := range []authz.ZedToken{"made up", "bm90IGEgdG9rZW4=", token + "x"} {
		wantKind(t, c.Reach(t.Context(), made), authz.Invalid)
	}
	s.Pause()
	wantKind(t, c.Reach(t.Context(), token), authz.Unavailable)
}
