package e2e_test

import (
	"fmt"
	"strconv"
)

// collection is a collection of grants of schema/shapes.yaml or of tasks.yaml, said a second
// time: by object, where the proxy works with sets of ids.
type collection struct {
	resource    string
	permissions []string
	objects     []string // those that a test may write relationships of
	gate        check
}

var collections = map[string]collection{
	"document_actions": {
		resource: "document", permissions: []string{"edit", "share"}, objects: numbered("d0c00000-0000-4000-8000-%012d"),
		gate: check{"workspace:main", "sync"},
	},
	"project_actions":  {resource: "project", permissions: []string{"view", "view_all"}, objects: []string{"atlas", "borealis", "comet"}},
	"numbered_actions": {resource: "document", permissions: []string{"edit"}, objects: numbered("%d")},
}

// numbered are twenty ids.
func numbered(format string) []string {
	var all []string
	for n := range 20 {
		all = append(all, fmt.Sprintf(format, n+1))
	}
	return all
}

func (c collection) check(object, permission string) check {
	return check{c.resource + ":" + object, permission}
}

// checks lists what has to be asked about one person.
func (c collection) checks() []check {
	var all []check
	if c.gate != (check{}) {
		all = append(all, c.gate)
	}
	for _, object := range c.objects {
		for _, permission := range c.permissions {
			all = append(all, c.check(object, permission))
		}
	}
	return all
}

// permitted returns the rows of a person for whom these checks hold.
func (c collection) permitted(holds map[check]bool) []row {
	rows := []row{}
	if c.gate != (check{}) && !holds[c.gate] {
		return rows
	}
	for _, object := range c.objects {
		r, any := row{"id": &object}, false
		for _, permission := range c.permissions {
			held := holds[c.check(object, permission)]
			text := strconv.FormatBool(held)
			r[permission], any = &text, any || held
		}
		if any {
			rows = append(rows, r)
		}
	}
	return rows
}
