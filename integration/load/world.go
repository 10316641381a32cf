package main

import (
	"fmt"
	"strings"
)

// The world that is measured. With --url it has to be a part of the one that is
// there, as it is of the demo's.
const (
	zed = `
definition user {}

definition group {
	relation member: user | group#member
}

definition document {
	relation viewer: user | group#member
	relation banned: user

	permission view = viewer - banned
}

definition shapegate_canary {
	relation beat: shapegate_canary
}`

	shapesYAML = `
shapes:
  documents:
    table: documents
    columns: [id, project_id, title, updated_at]
    authorize:
      filter:
        - {resource: document, permission: view, column: id}
`

	createTable = `CREATE TABLE documents (
  id uuid PRIMARY KEY, project_id text NOT NULL, title text NOT NULL, updated_at timestamptz NOT NULL)`

	// What the tool wrote is told from other rows by their project.
	deleteRows = `DELETE FROM documents WHERE project_id = 'load'`
)

// personMark stands for a person's id in --each.
const personMark = "{person}"

// person names the n-th person.
func person(n int) string { return fmt.Sprintf("load-%04d", n) }

// group names the n-th group.
func group(n int) string { return fmt.Sprintf("load-%d", n) }

// kind says whose a document is. It is a part of its id.
type kind int

const (
	own     kind = 1 // a person's, from the start to the end
	grouped kind = 2 // a group's
	shared  kind = 3 // nobody's, but for those it is granted to
)

// document is the id of a document: the i-th of its n-th owner.
func document(k kind, n, i int) string {
	return fmt.Sprintf("10ad000%d-0000-4000-8000-%06d%06d", k, n, i)
}

// documentsOf lists the first count documents of an owner.
func documentsOf(k kind, n, count int) []string {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = document(k, n, i)
	}
	return ids
}

// documents lists every document there is.
func (o *options) documents() []string {
	var ids []string
	for n := range o.clients {
		ids = append(ids, documentsOf(own, n, o.own)...)
	}
	for n := range o.groups {
		ids = append(ids, documentsOf(grouped, n, documentsPerGroup)...)
	}
	return append(ids, documentsOf(shared, 0, o.shared)...)
}

// relationships lists what is true from the start to the end.
func (o *options) relationships() []string {
	var all []string
	for n := range o.clients {
		for _, id := range documentsOf(own, n, o.own) {
			all = append(all, viewer(id, n))
		}
		for _, text := range o.each {
			all = append(all, strings.ReplaceAll(text, personMark, person(n)))
		}
	}
	for n := range o.groups {
		for _, id := range documentsOf(grouped, n, documentsPerGroup) {
			all = append(all, fmt.Sprintf("document:%s#viewer@group:%s#member", id, group(n)))
		}
	}
	return all
}

// viewer is the relationship that lets a person see a document.
func viewer(id string, n int) string {
	return fmt.Sprintf("document:%s#viewer@user:%s", id, person(n))
}

// member is the relationship that lets a person see what a group sees.
func member(g, n int) string {
	return fmt.Sprintf("group:%s#member@user:%s", group(g), person(n))
}

// insertRows is the SQL that writes documents.
func insertRows(ids []string) string {
	values := make([]string, len(ids))
	for i, id := range ids {
		values[i] = fmt.Sprintf("('%s', 'load', 'a document', '2026-01-01 00:00:00+00')", id)
	}
	return "INSERT INTO documents (id, project_id, title, updated_at) VALUES " + strings.Join(values, ", ")
}

// changeTitle is the SQL that changes a document. The title is one of ours.
func changeTitle(id, title string) string {
	return fmt.Sprintf("UPDATE documents SET title = '%s' WHERE id = '%s'", title, id)
}
