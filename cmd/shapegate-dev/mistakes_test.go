package main

import (
	"context"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/prerequisite"
)

const (
	ownZed   = "definition user {}\ndefinition plan {\n\trelation owner: user | user:*\n\tpermission view = owner\n}\n"
	ownRows  = "CREATE TABLE plans (id text PRIMARY KEY, title text, team text); INSERT INTO plans VALUES ('p1', 'one', 'red & blue'), ('p2', 'two', 'green');"
	byParams = `
shapes:
  of_one:
    table: plans
    columns: [id, title]
    params: {plan: {}}
    where: "id = $plan"
    authorize:
      gate: {resource: "plan:$plan", permission: view}
  of_team:
    table: plans
    columns: [id, title, team]
    params: {team: {}, free: {}}
    where: "team = $team AND title <> $free"
    authorize:
      filter: [{resource: plan, permission: view, column: id}]
grants:
  plan_actions:
    resource: plan
    permissions: [view]
    params: {plan: {}}
    gate: {resource: "plan:$plan", permission: view}
`
)

// What is wrong in files of one's own is said with file and line, in SpiceDB's words and
// without those of its machinery; what follows from it is not.
func TestMistakesInFilesAreNamedByTheirLine(t *testing.T) {
	mistake := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var errs strings.Builder
		err := run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), nil, io.Discard, &errs)
		if err == nil {
			t.Fatal("it starts")
		}
		text := err.Error() + errs.String()
		for _, internal := range []string{"rpc error", "TokenType", "spicedbtest", "not ready", "invalid:"} {
			if strings.Contains(text, internal) {
				t.Errorf("%s is in %s", internal, text)
			}
		}
		return text
	}
	zed := func(old, text string) string { return writeFile(t, "a.zed", strings.Replace(ownZed, old, text, 1)) }
	for want, args := range map[string][]string{
		`a.zed:3:17: expected is ":", and there is a name`:                                                           {"--schema", zed("owner: user", "owner user")},
		"a.zed:3: could not lookup definition `usr` for relation `owner`: object definition `usr` not found":         {"--schema", zed("owner: user", "owner: usr")},
		"a.zed:4: relation/permission `ownr` not found under definition `plan`":                                      {"--schema", zed("= owner", "= ownr")},
		`r:2: "plan:1" is no relationship, as in document:1#viewer@user:alice: no # between`:                         {"--schema", zed("", ""), "--relationships", writeFile(t, "r", "# mine\nplan:1\n")},
		"r:3: plan:2#ownr@user:dave: SpiceDB refuses the request: relation/permission `ownr` not found":              {"--schema", zed("", ""), "--relationships", writeFile(t, "r", "// mine\nplan:1#owner@user:dave\nplan:2#ownr@user:dave")},
		"--schema needs --relationships and --shapes: the demo's shapes ask for definitions that ":                   {"--schema", zed("", "")},
		"shapes.yaml:4:12: shapes.plans.table: there is no table public.plans; name the table":                       {"--schema", zed("", ""), "--shapes", writeFile(t, "shapes.yaml", otherShapes)},
		"\nthe stand-in for Electric has the demo's tables alone: bring tables with --sql FILE":                      {"--schema", zed("", ""), "--shapes", writeFile(t, "shapes.yaml", otherShapes)},
		`shapes.plans.authorize.filter[0].resource: SpiceDB's schema has no definition "plan"; name one that it has`: {"--shapes", writeFile(t, "shapes.yaml", otherShapes)},
	} {
		got := mistake(args...)
		if !strings.Contains(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if lines := strings.Count(got, "\n"); lines > 2 {
			t.Errorf("%d more lines: %s", lines, got)
		}
	}
}

func TestATakenAddressIsNamed(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	address := other.Addr().String()
	err = run(t.Context(), []string{"--listen", address}, nil, io.Discard, io.Discard)
	want := "SHAPEGATE_LISTEN (--listen): " + address + " is taken by another program: end that, or give another address with SHAPEGATE_LISTEN (--listen)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if free, note := freeOr(address); free != "127.0.0.1:0" || note != " ("+address+" is taken)" {
		t.Errorf("got %s, %s", free, note)
	}
}

// The lines of a world of one's own need no editing, of shapes with params neither; where no
// value of a param is known there is a line to put one in.
func TestTheLinesOfAnOwnWorldWorkWhenPasted(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		prerequisite.Missing(t, err)
	}
	s := start(t, nil,
		"--schema", writeFile(t, "a.zed", ownZed), "--relationships", writeFile(t, "r", "plan:p2#owner@user:*\nplan:p1#owner@user:dave\nplan:p2#owner@user:erin\n"),
		"--sql", writeFile(t, "a.sql", ownRows), "--shapes", writeFile(t, "shapes.yaml", byParams))
	out := s.out.until(t, "Ctrl-C")
	find(t, out, `(ERIN=)`)
	find(t, out, `(FREE=put-a-value-here # of the param free of of_team)`)
	answers := paste(t, out, 13)
	// Nothing changes while the event stream is read.
	for i, want := range []string{
		`"title":"one"`, `"team":"red & blue"`, `"id":"p1","view":"true"`, "written at", "forbidden", "written at", "", "user:dave", `"title":"one"`, "",
		`"params":{"plan":"p1","table":"of_one"}`, `"title":"one"`, "red & blue",
	} {
		if !strings.Contains(answers[i], want) {
			t.Errorf("%d: no %q in %s", i, want, answers[i])
		}
	}
	s.end(t)
}
