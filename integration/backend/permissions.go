package backend

import (
	"context"

	"github.com/shapegate/shapegate/authz"
)

// The objects of the demo's schema.
func user(id string) authz.ObjectRef     { return authz.ObjectRef{Type: "user", ID: id} }
func group(id string) authz.ObjectRef    { return authz.ObjectRef{Type: "group", ID: id} }
func project(id string) authz.ObjectRef  { return authz.ObjectRef{Type: "project", ID: id} }
func document(id string) authz.ObjectRef { return authz.ObjectRef{Type: "document", ID: id} }

var workspace = authz.ObjectRef{Type: "workspace", ID: "main"}

// The rules of this backend, in the demo's permissions:
//
//   - who may view a document may edit it, and who may view a project may add to it;
//   - who leads a project, or administers the workspace, shares and moves its documents,
//     and bans from them: project#view_all is exactly these people;
//   - who administers the workspace changes groups.
const (
	mayRead       = "view"
	mayManage     = "view_all"
	mayAdminister = "administer"
)

const notYours = "only the project's lead or an administrator may do this"

// allowed returns an error that says why, unless a person holds a permission on every one
// of the objects.
func (b *Backend) allowed(ctx context.Context, r request, permission, why string, objects ...authz.ObjectRef) error {
	held, err := b.held(ctx, r, permission, objects...)
	for _, h := range held {
		if !h && err == nil {
			err = forbidden(why)
		}
	}
	return err
}

// held reports for each object whether a person holds a permission on it.
func (b *Backend) held(ctx context.Context, r request, permission string, objects ...authz.ObjectRef) ([]bool, error) {
	p, err := b.person(r.person)
	if err != nil {
		return nil, forbidden("this person is not of the demo")
	}
	checks := make([]authz.Check, len(objects))
	for i, o := range objects {
		checks[i] = authz.Check{Subject: user(p.Subject), Resource: o, Permission: permission, Context: p.Claims}
	}
	results, _, err := b.relationships.CheckPermissions(ctx, checks)
	if err != nil {
		return nil, err
	}
	held := make([]bool, len(results))
	for i, result := range results {
		if result.Err != nil {
			return nil, result.Err
		}
		held[i] = result.Held
	}
	return held, nil
}

// me says what the person may do besides reading, so that a page offers no more.
func (b *Backend) me(ctx context.Context, r request) (any, error) {
	projects, err := b.rows.Projects(ctx)
	if err != nil {
		return nil, err
	}
	objects := make([]authz.ObjectRef, len(projects))
	for i, id := range projects {
		objects[i] = project(id)
	}
	manages, err := b.held(ctx, r, mayManage, objects...)
	if err != nil {
		return nil, err
	}
	administers, err := b.held(ctx, r, mayAdminister, workspace)
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
		me.Groups, err = b.groups(ctx)
	}
	return me, err
}
