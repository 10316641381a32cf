package explain

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
)

func TestReadSchema(t *testing.T) {
	const text = `use expiration
/** permission not = this */
caveat c(s string) {
	s == "permission no = such" && s.startsWith('definition x {')
}
definition user {}
definition tenant/folder {
	relation parent: tenant/folder // permission also = not
	relation viewer: user | group#member with c
	permission view = (viewer + parent->view) - banned
	permission long = viewer +
		owner & (
			banned
		)
	permission every = parent.all(view)   permission one = parent.any(view)
	permission none = nil }
definition last { permission p = q }`
	want := Schema{
		{Definition: "tenant/folder", Name: "view"}:  "(viewer + parent->view) - banned",
		{Definition: "tenant/folder", Name: "long"}:  "viewer + owner & (banned)",
		{Definition: "tenant/folder", Name: "every"}: "parent.all(view)",
		{Definition: "tenant/folder", Name: "one"}:   "parent.any(view)",
		{Definition: "tenant/folder", Name: "none"}:  "nil",
		{Definition: "last", Name: "p"}:              "q",
	}
	if diff := cmp.Diff(want, ReadSchema(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// spelled prints an expression with parentheses around everything, to compare trees.
func spelled(e *expression) string {
	switch {
	case e.all:
		return e.via + ".all(" + e.name + ")"
	case e.isArrow():
		return e.via + "->" + e.name
	case e.operator == operatorLeaf:
		return e.name
	}
	return fmt.Sprintf("(%s %s %s)", spelled(&e.operands[0]), e.operator, spelled(&e.operands[1]))
}

// The operators bind as in SpiceDB: + before &, and & before -.
func TestParseExpression(t *testing.T) {
	for text, want := range map[string]string{
		"a":                       "a",
		"a->b":                    "a->b",
		"a.any(b) + a.all(b)":     "(a->b + a.all(b))",
		"a + b + c":               "((a + b) + c)",
		"a - b - c":               "((a - b) - c)",
		"a - b + c & d":           "(a - ((b + c) & d))",
		"(a - b) + c":             "((a - b) + c)",
		"a & (b->c - (d + e))":    "(a & (b->c - (d + e)))",
		"nil":                     "nil",
		"_this1 + parent->view_1": "(_this1 + parent->view_1)",
	} {
		e, ok := parseExpression(text)
		if !ok || spelled(&e) != want {
			t.Errorf("%s: got %s, %v; want %s", text, spelled(&e), ok, want)
		}
	}
	for _, text := range []string{"", "a +", "(a", "a)", "a->", "a.some(b)", "a b", "a.any(b", "+"} {
		if _, ok := parseExpression(text); ok {
			t.Errorf("%q was read", text)
		}
	}
}

func TestResolve(t *testing.T) {
	s := Schema{}
	for name, text := range map[string]string{"a": "b", "b": "c", "d": "c + e", "f": "g->h", "x": "y", "y": "x"} {
		s[authz.Relation{Definition: "doc", Name: name}] = text
	}
	for name, want := range map[string]string{"a": "c", "c": "c", "d": "d", "f": "f"} {
		if got := s.resolve("doc", name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := s.resolve("other", "a"); got != "a" {
		t.Errorf("of another definition: %s", got)
	}
	s.resolve("doc", "x") // ends
}
