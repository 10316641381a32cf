package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

// startDemo starts the demo, and returns the environment that leads to it.
func startDemo(t *testing.T) map[string]string {
	t.Helper()
	env := startTables(t, startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema, Relationships: demo.RelationshipLines()}), demo.SQL)
	return with(env, "SHAPEGATE_SHAPES", "../../schema/shapes.yaml")
}

const borealisPlan = "d0c00000-0000-4000-8000-000000000004"

// The exit code says whether the row is visible, and the text why.
func TestExplain(t *testing.T) {
	env := startDemo(t)
	ask := func(subject, id string, further ...string) result {
		t.Helper()
		got := shapegate(t, env, "", append([]string{"explain", "--subject", subject, "--shape", "documents", "--id", id}, further...)...)
		if strings.Contains(got.stdout+got.stderr, env["ELECTRIC_SECRET"]) || strings.Contains(got.stdout+got.stderr, env["SPICEDB_TOKEN"]) {
			t.Errorf("a secret is shown: %s%s", got.stdout, got.stderr)
		}
		return got
	}
	ask("user:bob", borealisPlan).expect(t, 0, "document:"+borealisPlan+" → project → project:borealis → viewer → user:bob\n", "")
	ask("user:bob", demo.SharedLater).expect(t, 1, "user:bob does not see the row "+demo.SharedLater, "")
	secret := "d0c00000-0000-4000-8000-000000000006"
	ask("user:alice", secret, "--claim", "clearance=2").expect(t, 0, "user:alice sees", "")
	ask("user:alice", secret, "--claim", "clearance=1").expect(t, 1, "is false, with clearance = 1, required = 2", "")
	ask("user:alice", secret).expect(t, 1, "lacks clearance (the shape takes it from claims.clearance)", "")
	shapegate(t, env, "", "explain", "--subject", "user:alice", "--shape", "project_documents", "--id", secret, "--param", "project=comet").
		expect(t, 1, "does not meet the shape's where: project_id = $project", "")

	// What may be done with a document: is there a row, and what does it say?
	may := func(subject, id string) result {
		t.Helper()
		return shapegate(t, env, "", "explain", "--subject", subject, "--shape", "document_actions", "--id", id)
	}
	may("user:bob", borealisPlan).expect(t, 0, "user:bob sees the row "+borealisPlan+" of document_actions: edit holds, share does not hold.\n", "")
	may("user:bob", borealisPlan).expect(t, 0, "  permission    document:"+borealisPlan+"#edit holds\n                document:"+borealisPlan+" → project → project:borealis → viewer → user:bob\n", "")
	may("user:alice", borealisPlan).expect(t, 1, "user:alice does not see the row "+borealisPlan+" of document_actions: edit does not hold, share does not hold.\n", "")

	// A row that does not exist is not visible: that is an answer.
	ask("user:carol", "d0c00000-0000-4000-8000-00000000ffff").
		expect(t, 1, "user:carol does not see the row d0c00000-0000-4000-8000-00000000ffff of documents: there is no such row.\n", "")
	none := ask("user:carol", "nonsense")
	none.expect(t, 1, "user:carol does not see the row nonsense of documents: there is no such row.\n", "")
	none.expect(t, 1, "  filter        id = nonsense: nonsense is no uuid, which the column id of public.documents is: no row has it\n  row           does not exist\n", "")

	for _, test := range []struct {
		subject, id string
		further     []string
		code        int
	}{{"user:bob", borealisPlan, nil, 0}, {"user:dave", borealisPlan, nil, 1}} {
		got := ask(test.subject, test.id, "--json")
		var e explain.Explanation
		if err := json.Unmarshal([]byte(got.stdout), &e); err != nil || got.code != test.code || e.Visible != (got.code == 0) || e.Subject != test.subject {
			t.Errorf("%s: exit code %d, %+v, %v", test.subject, got.code, e, err)
		}
	}
}

// What could not be found out is neither yes nor no.
func TestExplainWithoutAnAnswer(t *testing.T) {
	env := startDemo(t)
	ask := []string{"explain", "--subject", "user:bob", "--shape", "documents", "--id", borealisPlan}
	shapegate(t, env, "", "explain", "--subject", "bob", "--shape", "documents", "--id", "x").expect(t, 2, "", "shapegate: subject: say who, as in user:bob\n")
	shapegate(t, env, "", "explain", "--subject", "user:bob", "--shape", "document", "--id", "x").
		expect(t, 2, "", `shapegate: there is no shape or collection of grants "document" in ../../schema/shapes.yaml: there are documents, project_documents, project_feed, projects, salaries, document_actions, did you mean "documents"?`+"\n")
	shapegate(t, env, "", append(ask, "--id", "x")...).expect(t, 2, "", "give an id for each")
	shapegate(t, env, "", append(ask, "--claim", "x")...).expect(t, 2, "", "claim: give name=value")
	shapegate(t, with(env, "SPICEDB_TOKEN", "wrong"), "", ask...).expect(t, 2, "", "SPICEDB_TOKEN")
	shapegate(t, with(env, "ELECTRIC_SECRET", "wrong"), "", ask...).expect(t, 2, "", "ELECTRIC_SECRET")
	shapegate(t, with(env, "ELECTRIC_URL", "http://"+freePort(t)), "", ask...).expect(t, 2, "", "ELECTRIC_URL")
	shapegate(t, with(env, "ELECTRIC_URL", ""), "", ask...).expect(t, 2, "", "not set: ELECTRIC_URL (--electric-url)")
	shapegate(t, with(env, "SHAPEGATE_SHAPES", "none.yaml"), "", ask...).expect(t, 2, "", "none.yaml")
}
