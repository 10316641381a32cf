package spicedb

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

const testSchema = `
definition user {}

caveat on_network(network string, allowed list<string>) {
	network in allowed
}

definition group {
	relation member: user | group#member
}

definition project {
	relation member: user | group#member
	permission view = member
}

definition document {
	relation project: project
	relation viewer: user | group#member | user:* | user with on_network
	relation banned: user
	permission view = (viewer + project->view) - banned
}

definition record {
	relation viewer: user
	permission view = viewer
}
`

var testRelationships = []string{
	"document:direct#viewer@user:alice",
	"group:staff#member@user:alice",
	"group:all#member@group:staff#member",
	"document:bygroup#viewer@group:all#member",
	"project:apollo#member@user:alice",
	"document:byproject#project@project:apollo",
	"document:public#viewer@user:*",
	"document:excluded#viewer@user:alice",
	"document:excluded#banned@user:alice",
	"document:twice#viewer@user:alice",
	"document:twice#project@project:apollo",
	`document:office#viewer@user:alice[on_network:{"allowed":["office"]}]`,
	"document:other#viewer@user:bob",
}

// versions are the two implementations of LookupResources that SpiceDB has.
var versions = map[string]string{"default": "", "lr3": "lr3"}

func startServer(tb testing.TB, version string, relationships []string) *spicedbtest.Server {
	tb.Helper()
	return spicedbtest.Start(tb, spicedbtest.Config{
		Schema:                 testSchema,
		Relationships:          relationships,
		LookupResourcesVersion: version,
	})
}

func testConfig(s *spicedbtest.Server) Config {
	return Config{
		Endpoint: "spicedb",
		Token:    s.Token(),
		Insecure: true,
		Dialer:   s.DialContext,
		Logger:   slog.New(slog.DiscardHandler),
		// Slow machines are not what is tested.
		Timeout:       20 * time.Second,
		LookupTimeout: time.Minute,
	}
}

func dial(tb testing.TB, cfg Config) *Client {
	tb.Helper()
	c, err := Dial(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func user(id string) authz.Subject {
	return authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: id}}
}

func lookupOf(subject authz.Subject, caveatContext map[string]any) authz.Lookup {
	return authz.Lookup{Subject: subject.ObjectRef, ResourceType: "document", Permission: "view", Context: caveatContext}
}

func document(id string) authz.ObjectRef { return authz.ObjectRef{Type: "document", ID: id} }

func lookup(ctx context.Context, c *Client, subject authz.Subject, caveatContext map[string]any) ([]string, error) {
	var ids []string
	_, err := c.LookupResources(ctx, lookupOf(subject, caveatContext), func(id string) { ids = append(ids, id) })
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// numbered grants alice documents d00000, d00001, …, by two paths so that the
// cursors have more than one section.
func numbered(n int) (relationships, ids []string) {
	relationships = append(relationships, "project:apollo#member@user:alice")
	for i := range n {
		id := fmt.Sprintf("d%05d", i)
		ids = append(ids, id)
		if i%3 == 0 {
			relationships = append(relationships, "document:"+id+"#project@project:apollo")
		} else {
			relationships = append(relationships, "document:"+id+"#viewer@user:alice")
		}
	}
	return relationships, ids
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func wantKind(tb testing.TB, err error, kind authz.Kind) {
	tb.Helper()
	if err == nil {
		tb.Fatalf("no error, want one of kind %s", kind)
	}
	if got := authz.KindOf(err); got != kind {
		tb.Fatalf("kind %s, want %s: %v", got, kind, err)
	}
}
