package backend

import (
	"context"

	"github.com/shapegate/shapegate/authz"
)

// profile tells people about themselves.
type profile struct {
	rows        Rows
	permissions *permissions
	relations   relations
}

// me says what the person may do besides reading, so that a page offers no more.
func (p *profile) me(ctx context.Context, r request) (any, error) {
	projects, err := p.rows.Projects(ctx)
	if err != nil {
		return nil, err
	}
	objects := make([]authz.ObjectRef, len(projects))
	for i, id := range projects {
		objects[i] = project(id)
	}
	manages, err := p.permissions.held(ctx, r, mayManage, objects...)
	if err != nil {
		return nil, err
	}
	administers, err := p.permissions.held(ctx, r, mayAdminister, workspace)
	if err != nil {
		return nil, err
	}
	me := struct {
		Person      string              `json:"person"`
		Administers bool                `json:"administers"`
		Manages     []string            `json:"manages"` // projects
		Groups      map[string][]string `json:"groups"`  // and their members, for those who may know
	}{r.person, administers[0], []string{}, map[string][]string{}}
	for i, id := range projects {
		if manages[i] {
			me.Manages = append(me.Manages, id)
		}
	}
	if me.Administers || len(me.Manages) > 0 {
		me.Groups, err = p.relations.groups(ctx)
	}
	return me, err
}
