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

// memberOf is a project that a person sees.
type memberOf struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Manages bool   `json:"manages"`
}

// me says what the person may do that no collection of grants says: with projects, and with
// groups.
func (p *profile) me(ctx context.Context, r request) (any, error) {
	administers, err := p.permissions.held(ctx, r, mayAdminister, workspace)
	if err != nil {
		return nil, err
	}
	me := struct {
		Person      string              `json:"person"`
		Administers bool                `json:"administers"`
		Projects    []memberOf          `json:"projects"` // by name
		Groups      map[string][]string `json:"groups"`   // and their members, for those who may know
	}{r.person, administers[0], nil, map[string][]string{}}
	if me.Projects, err = p.projects(ctx, r); err != nil {
		return nil, err
	}
	mayKnow := me.Administers
	for _, in := range me.Projects {
		mayKnow = mayKnow || in.Manages
	}
	if mayKnow {
		me.Groups, err = p.relations.groups(ctx)
	}
	return me, err
}

// projects returns those that the person sees.
func (p *profile) projects(ctx context.Context, r request) ([]memberOf, error) {
	all, err := p.rows.Projects(ctx)
	if err != nil {
		return nil, err
	}
	objects := make([]authz.ObjectRef, len(all))
	for i, in := range all {
		objects[i] = project(in.ID)
	}
	sees, err := p.permissions.held(ctx, r, mayRead, objects...)
	if err != nil {
		return nil, err
	}
	manages, err := p.permissions.held(ctx, r, mayManage, objects...)
	if err != nil {
		return nil, err
	}
	seen := []memberOf{}
	for i, in := range all {
		if sees[i] {
			seen = append(seen, memberOf{in.ID, in.Name, manages[i]})
		}
	}
	return seen, nil
}
