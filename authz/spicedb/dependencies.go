package spicedb

import (
	"context"
	"fmt"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"

	"github.com/shapegate/shapegate/authz"
)

// Dependencies implements authz.Engine. What the schema says is all of one
// revision, but for the relationships that expire, which are read from a schema
// that may be newer.
func (c *Client) Dependencies(ctx context.Context, definition, permission string) (authz.Dependencies, error) {
	const op = "read what a permission rests on"
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LookupTimeout)
	defer cancel()
	res, err := c.reflect(ctx, c.cfg.LookupTimeout, &authzedv1.ReflectSchemaRequest{Consistency: fullyConsistent()})
	if err != nil {
		return authz.Dependencies{}, c.failed(ctx, op, err)
	}
	s := newSchemaParts(res)
	asked := authz.Relation{Definition: definition, Name: permission}
	if !s.has(asked) {
		return authz.Dependencies{}, authz.E(authz.Unanswerable, op, &unknownRelationError{asked})
	}
	w := newWalk(&c.calls, s, asked)
	if err := w.run(ctx); err != nil {
		return authz.Dependencies{}, c.failed(ctx, op, err)
	}
	text, err := c.ReadSchema(ctx)
	if err != nil {
		return authz.Dependencies{}, err
	}
	w.deps.Expiring = mayExpire(text, w.deps.Relations)
	return w.deps, nil
}

type unknownRelationError struct{ authz.Relation }

func (e *unknownRelationError) Error() string {
	return fmt.Sprintf("the schema has no %s#%s", e.Definition, e.Name)
}

// schemaParts are the relations and permissions of one revision's schema.
type schemaParts struct {
	at          *authzedv1.ZedToken
	relations   map[authz.Relation][]*authzedv1.ReflectionTypeReference
	permissions map[authz.Relation]bool
}

func newSchemaParts(res *authzedv1.ReflectSchemaResponse) *schemaParts {
	s := &schemaParts{
		at:          res.GetReadAt(),
		relations:   make(map[authz.Relation][]*authzedv1.ReflectionTypeReference),
		permissions: make(map[authz.Relation]bool),
	}
	for _, d := range res.GetDefinitions() {
		for _, r := range d.GetRelations() {
			s.relations[authz.Relation{Definition: d.GetName(), Name: r.GetName()}] = r.GetSubjectTypes()
		}
		for _, p := range d.GetPermissions() {
			s.permissions[authz.Relation{Definition: d.GetName(), Name: p.GetName()}] = true
		}
	}
	return s
}

func (s *schemaParts) has(r authz.Relation) bool {
	_, isRelation := s.relations[r]
	return isRelation || s.permissions[r]
}

// walk goes through everything that a permission, or a relation that is used as
// one, rests on.
//
// SpiceDB's DependentRelations lists that for permissions, across definitions,
// and for permissions only. From every relation, the walk itself goes on to what
// its usersets name: that is all there is behind a relation, and leaves nothing
// out where DependentRelations should.
type walk struct {
	calls  *calls
	schema *schemaParts
	asked  authz.Relation
	deps   authz.Dependencies

	left   []authz.Relation // to be visited
	seen   map[authz.Relation]bool
	listed map[authz.Relation]bool // so is everything that these rest on
}

func newWalk(c *calls, s *schemaParts, asked authz.Relation) *walk {
	return &walk{
		calls: c, schema: s, asked: asked,
		deps: authz.Dependencies{
			Relations: make(map[authz.Relation]bool),
			Walked:    make(map[string]bool),
			Subjects:  make(map[string]bool),
		},
		left:   []authz.Relation{asked},
		seen:   map[authz.Relation]bool{asked: true},
		listed: make(map[authz.Relation]bool),
	}
}

// run visits what is left. Errors are those of SpiceDB.
func (w *walk) run(ctx context.Context) error {
	for len(w.left) > 0 {
		r := w.left[len(w.left)-1]
		w.left = w.left[:len(w.left)-1]
		if types, ok := w.schema.relations[r]; ok {
			w.visitRelation(r, types)
			continue
		}
		if err := w.visitPermission(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) visitRelation(r authz.Relation, types []*authzedv1.ReflectionTypeReference) {
	w.deps.Relations[r] = true
	w.deps.Walked[r.Definition] = true
	for _, t := range types {
		w.deps.Subjects[t.GetSubjectDefinitionName()] = true
		if name := t.GetOptionalRelationName(); name != "" {
			w.enqueue(authz.Relation{Definition: t.GetSubjectDefinitionName(), Name: name})
		}
	}
}

func (w *walk) visitPermission(ctx context.Context, p authz.Relation) error {
	if p != w.asked {
		// The one that was asked for has relations of its own definition, which are
		// walked, or is made of none.
		w.deps.Walked[p.Definition] = true
	}
	if w.listed[p] {
		return nil
	}
	res, err := w.calls.dependentRelations(ctx, w.schema.at, p)
	if err != nil {
		return err
	}
	for _, found := range res.GetRelations() {
		r := authz.Relation{Definition: found.GetDefinitionName(), Name: found.GetRelationName()}
		w.listed[r] = true
		w.enqueue(r)
	}
	return nil
}

func (w *walk) enqueue(r authz.Relation) {
	if !w.seen[r] {
		w.seen[r] = true
		w.left = append(w.left, r)
	}
}

func (c *calls) dependentRelations(ctx context.Context, at *authzedv1.ZedToken, p authz.Relation) (*authzedv1.DependentRelationsResponse, error) {
	return retry(ctx, c.cfg.LookupTimeout/2, func(ctx context.Context) (*authzedv1.DependentRelationsResponse, error) {
		return c.schema.DependentRelations(ctx, &authzedv1.DependentRelationsRequest{
			Consistency:    exactly(at),
			DefinitionName: p.Definition,
			PermissionName: p.Name,
		})
	})
}
