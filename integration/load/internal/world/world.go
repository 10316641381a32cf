// Package world is what the load tool measures: a table of documents, who may see
// them, and the people who read them. With --url it has to be a part of the world
// that is there, as it is of the demo's.
package world

import (
	"fmt"
	"strings"
)

const (
	// Schema is SpiceDB's. An exclusion has it check each object that a lookup finds: read and
	// write are view and edit without.
	Schema = `
definition user {}

definition group {
	relation member: user | group#member
}

definition document {
	relation viewer: user | group#member
	relation editor: user | group#member
	relation banned: user

	permission view = viewer - banned
	permission edit = editor - banned
	permission read = viewer
	permission write = editor
}

definition shapegate_canary {
	relation beat: shapegate_canary
}`

	// Shapes is the definition of the one shape, and of collections of grants: one with the
	// shape's permission, and one with another besides.
	Shapes = `
shapes:
  documents:
    table: documents
    columns: [id, project_id, title, updated_at]
    authorize:
      filter:
        - {resource: document, permission: view, column: id}
  plain_documents:
    table: documents
    columns: [id, project_id, title, updated_at]
    authorize:
      filter:
        - {resource: document, permission: read, column: id}

grants:
  document_views:
    resource: document
    permissions: [view]
    column_type: uuid
  document_actions:
    resource: document
    permissions: [view, edit]
    column_type: uuid
  plain_views:
    resource: document
    permissions: [read]
    column_type: uuid
  plain_actions:
    resource: document
    permissions: [read, write]
    column_type: uuid
`

	// ShapePath is where shapegate serves it.
	ShapePath = "/v1/shapes/documents"

	// DirectQuery asks Electric for the changes of the same table and columns.
	DirectQuery = "table=documents&columns=id,project_id,title,updated_at&log=changes_only"
)

// Paths are where shapegate serves a shape and the collections beside it.
type Paths struct{ Shape, Views, Actions string }

// Checked is by permissions with an exclusion, and Plain by those without.
var (
	Checked = Paths{ShapePath, "/v1/grants/document_views", "/v1/grants/document_actions"}
	Plain   = Paths{"/v1/shapes/plain_documents", "/v1/grants/plain_views", "/v1/grants/plain_actions"}
)

// PersonMark stands for a person's id in --each.
const PersonMark = "{person}"

// Person names the n-th person.
func Person(n int) string { return fmt.Sprintf("load-%04d", n) }

// Kind says whose a document is. It is a part of its id.
type Kind int

// The kinds of documents.
const (
	Own      Kind = 1 // a person's, from the start to the end
	Grouped  Kind = 2 // a group's
	Granted  Kind = 3 // only of those it is granted to
	Common   Kind = 4 // everybody's
	Withheld Kind = 5 // granted to nobody, ever
	Absent   Kind = 6 // granted, though there is no such row
)

// Document is the id of a document: the i-th of its n-th owner.
func Document(k Kind, n, i int) string {
	return fmt.Sprintf("10ad000%d-0000-4000-8000-%06d%06d", k, n, i)
}

// Documents lists the first count documents of an owner.
func Documents(k Kind, n, count int) []string {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = Document(k, n, i)
	}
	return ids
}

// Viewer is the relationship that lets a person see a document.
func Viewer(id string, n int) string {
	return fmt.Sprintf("document:%s#viewer@user:%s", id, Person(n))
}

// Member is the relationship that makes a person a member of the n-th group.
func Member(group, person int) string {
	return fmt.Sprintf("group:load-%d#member@user:%s", group, Person(person))
}

// GroupViewer and GroupEditor are the relationships that let a group's members see a
// document, and edit it.
func GroupViewer(id string, group int) string {
	return fmt.Sprintf("document:%s#viewer@group:load-%d#member", id, group)
}

// GroupEditor is as GroupViewer.
func GroupEditor(id string, group int) string {
	return fmt.Sprintf("document:%s#editor@group:load-%d#member", id, group)
}

// Each is the relationships of --each for a person.
func Each(texts []string, n int) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = strings.ReplaceAll(text, PersonMark, Person(n))
	}
	return all
}
