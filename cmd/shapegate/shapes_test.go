package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

func TestShapes(t *testing.T) {
	env := startDemo(t)
	env = with(env, "ELECTRIC_URL", "") // it is not asked
	got := shapegate(t, env, "", "shapes", "--subject", "user:bob", "--claim", "clearance=1")
	got.expect(t, 0, "documents: the rows of 2 ids\n  gate          workspace:main#sync holds\n  unrestricted  workspace:main#administer does not hold\n  filter        document#view → id: 2 ids, looked up in ", "")
	got.expect(t, 0, "project_documents: not known without its params\n  note          give --param project=…\n", "")
	got.expect(t, 0, "salaries: the rows of 1 id\n", "")
	shapegate(t, env, "", "shapes", "--subject", "user:dave").expect(t, 0, "documents: nothing: it is answered 403\n", "")

	var all []explain.Access
	got = shapegate(t, env, "", "shapes", "--subject", "user:alice", "--param", "project=comet", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil || got.code != 0 || len(all) != 6 || all[5].Shape != "document_actions" || all[1].Rows != explain.EveryRow {
		t.Errorf("%d %v %+v", got.code, err, all)
	}
	shapegate(t, env, "", "shapes", "--subject", "bob").expect(t, 2, "", "shapegate: subject: say who, as in user:bob\n")
	shapegate(t, env, "", "shapes", "--subject", "user:bob", "--param", "x=1").expect(t, 2, "", "no shape has the param x")
	shapegate(t, with(env, "SPICEDB_ENDPOINT", freePort(t)), "", "shapes", "--subject", "user:bob").expect(t, 2, "", "SPICEDB_ENDPOINT")
}

// What is left out for want of a claim is counted, and the claim is named.
func TestShapesNamesTheClaimsThatAreMissing(t *testing.T) {
	env := with(startDemo(t), "ELECTRIC_URL", "")
	const note = "  note          1 id is left out, since caveats lack context: give the claim clearance (--claim clearance=…)\n"
	shapegate(t, env, "", "shapes", "--subject", "user:alice").expect(t, 0, note, "")
	if got := shapegate(t, env, "", "shapes", "--subject", "user:alice", "--claim", "clearance=1"); strings.Contains(got.stdout, "left out") {
		t.Errorf("with the claim: %s", got.stdout)
	}
}

// A gate that does not hold may lack a claim only if it rests on a caveat.
func TestShapesNamesTheClaimsOfTheGate(t *testing.T) {
	const denied = "documents: nothing: it is answered 403\n  gate          workspace:main#sync does not hold\n"
	ask := []string{"shapes", "--subject", "user:dave"}
	shapegate(t, startDemo(t), "", ask...).expect(t, 0, denied+"project_documents: ", "")

	const relation = "relation member: user | group#member\n\n\tpermission administer"
	caveated := strings.Replace(demo.Schema, relation, strings.Replace(relation, "user", "user | user with cleared", 1), 1)
	env := with(startSpiceDB(t, spicedbtest.Config{Schema: caveated}), "SHAPEGATE_SHAPES", "../../schema/shapes.yaml")
	shapegate(t, env, "", ask...).
		expect(t, 0, denied+"  note          a caveat of the gate may lack context: give the claim clearance (--claim clearance=…)\n", "")
}
