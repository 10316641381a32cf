package proxy_test

import (
	"fmt"
	"strings"
)

// The world of these tests: what SpiceDB, the shape definitions and the tables
// are about. Alice and bob are people with grants of their own, carol
// administers, mallory has none.

const zed = `
definition user {}

caveat cleared(address ipaddress, clearance int, needed int) {
	address.in_cidr("127.0.0.0/8") && clearance >= needed
}

definition workspace {
	relation member: user
	relation admin: user
	permission sync = member + admin
	permission administer = admin
}

definition project {
	relation viewer: user
	permission view = viewer
}

definition room {
	relation viewer: user
	permission view = viewer
}

definition group {
	relation member: user
}

definition document {
	relation viewer: user | user with cleared | group#member
	relation editor: user | user with cleared | group#member
	relation owner: user
	permission view = viewer
	permission edit = editor + owner
	permission share = owner
}

definition task {
	relation viewer: user
	permission view = viewer
}

definition note {
	relation viewer: user
	permission view = viewer
}

definition shapegate_canary {
	relation beat: shapegate_canary
}
`

const shapesYAML = `
shapes:
  documents:                # a uuid primary key, filtered by it
    table: documents
    columns: [id, project, title]
    authorize:
      filter: [{resource: document, permission: view, column: id}]

  current:                  # the same, with an OR at the top of its static where
    table: documents
    columns: [id, project, title]
    where: "archived = false OR pinned = true"
    authorize:
      filter: [{resource: document, permission: view, column: id}]

  tasks:                    # a column that is not the primary key, and may be NULL
    table: tasks
    columns: [id, project, title]
    authorize:
      filter: [{resource: project, permission: view, column: project}]

  mixed:                    # two filters
    table: tasks
    columns: [id, project, title]
    authorize:
      filter:
        - {resource: task, permission: view, column: id}
        - {resource: project, permission: view, column: project}

  office:                   # gate, filter, and those who see everything
    table: documents
    columns: [id, project, title]
    authorize:
      gate: {resource: "workspace:main", permission: sync}
      filter: [{resource: document, permission: view, column: id}]
      unrestricted: {resource: "workspace:main", permission: administer}

  board:                    # a gate alone
    table: documents
    columns: [id, title]
    authorize:
      gate: {resource: "workspace:main", permission: sync}

  project_tasks:            # scoped by a param
    table: tasks
    columns: [id, project, title]
    params: {project: {}}
    where: "project = $project"
    authorize:
      gate: {resource: "project:$project", permission: view}

  vault:                    # as documents, without a moment's delay
    table: documents
    columns: [id, project, title]
    authorize:
      filter: [{resource: document, permission: view, column: id}]
    consistency: strict

  talks:                    # scoped by a param whose column is no text
    table: talks
    columns: [id, room, topic]
    params: {room: {}}
    where: "room = $room"
    authorize:
      gate: {resource: "room:$room", permission: view}

  members:                  # a composite key
    table: members
    columns: [project, person, role]
    authorize:
      filter: [{resource: project, permission: view, column: project}]

  notes:                    # a text primary key
    table: notes
    columns: [id, body]
    authorize:
      filter: [{resource: note, permission: view, column: id}]

  cleared:                  # a caveat, its context from claims and from the request
    table: documents
    columns: [id, title]
    authorize:
      filter: [{resource: document, permission: view, column: id}]
      context:
        clearance: claims.clearance
        address: request.ip

grants:
  actions:                  # two permissions on one definition
    resource: document
    permissions: [edit, share]
    column_type: uuid
  office_actions:           # behind a gate
    resource: document
    permissions: [edit]
    gate: {resource: "workspace:main", permission: sync}
  cleared_actions:          # a caveat
    resource: document
    permissions: [edit, share]
    context: {clearance: claims.clearance, address: request.ip}
  vault_actions:            # without a moment's delay
    resource: document
    permissions: [edit, share]
    consistency: strict
  room_actions:             # scoped by a param
    resource: document
    permissions: [edit]
    params: {room: {}}
    gate: {resource: "room:$room", permission: view}
  seats:                    # another id
    resource: room
    permissions: [view]
    column_type: integer
`

// hush is in columns and tables that no shape has: it must be in no answer.
const hush = "hush-hush"

const tables = `
CREATE TABLE documents (
  id uuid PRIMARY KEY, project text, title text NOT NULL,
  secret text NOT NULL DEFAULT '` + hush + `',
  archived bool NOT NULL DEFAULT false, pinned bool NOT NULL DEFAULT false
);
INSERT INTO documents (id, project, title) VALUES
  ('d0000000-0000-4000-8000-000000000001', 'p1', 'one'),
  ('d0000000-0000-4000-8000-000000000002', 'p1', 'two'),
  ('d0000000-0000-4000-8000-000000000003', 'p2', 'three'),
  ('d0000000-0000-4000-8000-000000000004', NULL, 'four');

CREATE TABLE tasks (id uuid PRIMARY KEY, project text, title text NOT NULL);
INSERT INTO tasks (id, project, title) VALUES
  ('a0000000-0000-4000-8000-000000000001', 'p1', 'one'),
  ('a0000000-0000-4000-8000-000000000002', 'p2', 'two'),
  ('a0000000-0000-4000-8000-000000000003', NULL, 'three'),
  ('a0000000-0000-4000-8000-000000000004', 'p1', 'four');

CREATE TABLE talks (id uuid PRIMARY KEY, room int4 NOT NULL, topic text NOT NULL);
INSERT INTO talks (id, room, topic) VALUES
  ('b0000000-0000-4000-8000-000000000001', 1, 'one'),
  ('b0000000-0000-4000-8000-000000000002', 2, 'two');

CREATE TABLE members (project text, person text, role text NOT NULL, PRIMARY KEY (project, person));
INSERT INTO members (project, person, role) VALUES ('p1', 'alice', 'lead'), ('p1', 'bob', 'guest'), ('p2', 'bob', 'lead');

CREATE TABLE notes (id text PRIMARY KEY, body text NOT NULL);
INSERT INTO notes (id, body) VALUES ('a/b', 'slashed'), ('Plain', 'capital'), ('plain', 'small'), ('null', 'a word');

CREATE TABLE payroll (id uuid PRIMARY KEY, secret text NOT NULL);
INSERT INTO payroll (id, secret) VALUES ('e0000000-0000-4000-8000-000000000001', '` + hush + `');
`

var relationships = []string{
	sees("alice", "d1"), sees("alice", "d2"), sees("bob", "d3"),
	"project:p1#viewer@user:alice", "project:p2#viewer@user:bob",
	"task:" + full("a2") + "#viewer@user:alice",
	"room:1#viewer@user:alice", "room:lobby#viewer@user:alice",
	"note:a/b#viewer@user:alice", "note:Plain#viewer@user:alice", "note:null#viewer@user:alice",
	"workspace:main#member@user:alice", "workspace:main#admin@user:carol",
}

// sees is the relationship that lets a person see a document, named as in d1.
func sees(person, document string) string {
	return "document:" + full(document) + "#viewer@user:" + person
}

// full is the uuid that a short name stands for: d1 is
// d0000000-0000-4000-8000-000000000001.
func full(short string) string {
	var n int
	if _, err := fmt.Sscan(short[1:], &n); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%c0000000-0000-4000-8000-%012d", short[0], n)
}

// short is the short name of a uuid, and any other id as it is.
func short(id string) string {
	const middle = "0000000-0000-4000-8000-"
	if len(id) != 36 || id[1:1+len(middle)] != middle {
		return id
	}
	return id[:1] + strings.TrimLeft(id[24:], "0")
}
