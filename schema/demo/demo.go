// Package demo holds a small world to try shapegate on: people, groups, projects
// and documents, as a SpiceDB schema with relationships, as tables with rows, and
// as shape definitions over them.
//
// Alice is an engineer and leads a project, bob sees another project, and carol
// administers the workspace. The texts are embedded here for tests and for
// cmd/shapegate-dev; docker-compose.yml mounts the same files. The production
// binary does not import this package.
package demo

import (
	_ "embed"
	"strings"

	"github.com/shapegate/shapegate/schema"
)

// Schema is the SpiceDB schema.
//
//go:embed demo.zed
var Schema string

// Relationships are the relationships at the start, one per line, with empty
// lines and comments between them: what "shapegate relationship touch -f"
// reads. See RelationshipLines.
//
//go:embed demo.relationships
var Relationships string

// SQL makes the tables and their rows: plain CREATE TABLE and INSERT, which
// Postgres and the Electric stand-in both run.
//
//go:embed demo.sql
var SQL string

// Validation is the file of assertions about Schema and Relationships, in
// SpiceDB's validation format.
//
//go:embed demo.validation.yaml
var Validation string

// Shapes are the shape definitions in YAML, for schema.Parse.
var Shapes = schema.Example

// RelationshipLines returns the relationships of Relationships, each in the
// string form of SpiceDB's tools.
func RelationshipLines() []string {
	var lines []string
	for line := range strings.Lines(Relationships) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Person is a user to sign in as.
type Person struct {
	Subject string         // the "sub" claim, and the object id in SpiceDB
	Claims  map[string]any // further claims of the token
	About   string         // what they may see, in words
}

// People returns who there is: alice, bob, and carol, who administers.
func People() []Person {
	return []Person{
		{Subject: "alice", Claims: map[string]any{"clearance": 2}, About: "an engineer; leads Comet"},
		{Subject: "bob", Claims: map[string]any{"clearance": 1}, About: "sees Borealis"},
		{Subject: "carol", Claims: map[string]any{"clearance": 3}, About: "administers the workspace"},
	}
}

// SharedLater is the document that bob does not see at first, and that a
// walkthrough grants him.
const SharedLater = "d0c00000-0000-4000-8000-000000000001"
