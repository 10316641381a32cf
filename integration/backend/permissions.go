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
//   - who may edit a document changes its text, and who may share it says who else sees or
//     edits it: the page shows buttons by the same two permissions, which it reads as rows
//     (document_actions in shapes.yaml);
//   - who may view a project adds documents to it;
//   - who leads a project, or administers the workspace, moves documents out of it and into
//     it: project#view_all is exactly these people;
//   - who administers the workspace changes groups.
const (
	mayRead       = "view"
	mayEdit       = "edit"
	mayShare      = "share"
	mayManage     = "view_all"
	mayAdminister = "administer"
)

const notYours = "only the project's lead or an administrator may do this"

// permissions asks SpiceDB what people may do.
type permissions struct {
	people        people
	relationships Relationships
}

// allowed returns an error that says why, unless a person holds a permission on every one
// of the objects.
func (p *permissions) allowed(ctx context.Context, r request, permission, why string, objects ...authz.ObjectRef) error {
	held, err := p.held(ctx, r, permission, objects...)
	for _, h := range held {
		if !h && err == nil {
			err = forbidden(why)
		}
	}
	return err
}

// held reports for each object whether a person holds a permission on it.
func (p *permissions) held(ctx context.Context, r request, permission string, objects ...authz.ObjectRef) ([]bool, error) {
	who, err := p.people.named(r.person)
	if err != nil {
		return nil, forbidden("this person is not of the demo")
	}
	checks := make([]authz.Check, len(objects))
	for i, o := range objects {
		checks[i] = authz.Check{Subject: user(who.Subject), Resource: o, Permission: permission, Context: who.Claims}
	}
	results, _, err := p.relationships.CheckPermissions(ctx, checks)
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
