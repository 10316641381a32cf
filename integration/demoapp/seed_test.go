package demoapp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/demoapp"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

func dial(t *testing.T, schema string) *spicedb.Client {
	t.Helper()
	server := spicedbtest.Start(t, spicedbtest.Config{Schema: schema})
	client, err := spicedb.Dial(spicedb.Config{Endpoint: "in-process", Token: server.Token(), Insecure: true, Dialer: server.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// leads are who leads the project comet.
func leads(t *testing.T, client *spicedb.Client) (all []string) {
	t.Helper()
	for r, err := range client.ReadRelationships(t.Context(), spicedb.RelationshipFilter{ResourceType: "project", ResourceID: "comet", Relation: "lead"}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.String())
	}
	return all
}

// A second start of everything must not bring a revoked relationship back.
func TestSeedWritesOnce(t *testing.T) {
	client := dial(t, "")
	lead := "project:comet#lead@user:alice"
	if done, err := demoapp.Seed(t.Context(), client, demo.Schema, demo.RelationshipLines()); err != nil || !done {
		t.Fatal(done, err)
	}
	if got := leads(t, client); !slices.Equal(got, []string{lead}) {
		t.Fatalf("%v", got)
	}
	r, err := spicedb.ParseRelationship(lead)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.WriteRelationships(t.Context(), spicedb.Update{Operation: spicedb.Delete, Relationship: r}); err != nil {
		t.Fatal(err)
	}
	if done, err := demoapp.Seed(t.Context(), client, demo.Schema, demo.RelationshipLines()); err != nil || done {
		t.Fatal(done, err)
	}
	if got := leads(t, client); len(got) > 0 {
		t.Errorf("%v came back", got)
	}
}

func TestSeedLeavesAnotherSchemaAlone(t *testing.T) {
	const own = "definition user {}\n\ndefinition note {\n\trelation reader: user\n}"
	client := dial(t, own)
	if done, err := demoapp.Seed(t.Context(), client, demo.Schema, demo.RelationshipLines()); err != nil || done {
		t.Fatal(done, err)
	}
	if got, err := client.ReadSchema(t.Context()); err != nil || strings.Contains(got, "workspace") || !strings.Contains(got, "note") {
		t.Errorf("%s %v", got, err)
	}
}

// Nothing is written unless all of it can be.
func TestSeedReadsTheRelationshipsFirst(t *testing.T) {
	client := dial(t, "")
	if _, err := demoapp.Seed(t.Context(), client, demo.Schema, []string{"not a relationship"}); err == nil {
		t.Error("no error")
	}
	if got, err := client.ReadSchema(t.Context()); err != nil || got != "" {
		t.Errorf("%s %v", got, err)
	}
}

// A start that ended between the schema and the relationships must not leave a demo in which
// nobody sees anything, whatever is started again.
func TestSeedMakesUpForOneThatEndedHalfWay(t *testing.T) {
	client := dial(t, "")
	unknown := append(demo.RelationshipLines(), "project:comet#no_such_relation@user:alice")
	if _, err := demoapp.Seed(t.Context(), client, demo.Schema, unknown); err == nil {
		t.Fatal("no error")
	}
	if done, err := demoapp.Seed(t.Context(), client, demo.Schema, demo.RelationshipLines()); err != nil || !done {
		t.Fatal(done, err)
	}
	if got := leads(t, client); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got, err := client.ReadSchema(t.Context()); err != nil || strings.Contains(got, "unfinished") {
		t.Errorf("%s %v", got, err)
	}
	if done, err := demoapp.Seed(t.Context(), client, demo.Schema, demo.RelationshipLines()); err != nil || done {
		t.Fatal(done, err)
	}
}
