package backend

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
)

// relationshipReader reads relationships.
type relationshipReader interface {
	ReadRelationships(ctx context.Context, filter spicedb.RelationshipFilter) iter.Seq2[spicedb.Relationship, error]
}

func (b *Backend) read(ctx context.Context, filter spicedb.RelationshipFilter) ([]spicedb.Relationship, error) {
	var all []spicedb.Relationship
	for r, err := range b.relationships.ReadRelationships(ctx, filter) {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func relationship(resource authz.ObjectRef, relation string, subject authz.ObjectRef) spicedb.Relationship {
	r := spicedb.Relationship{Resource: resource, Relation: relation, Subject: subject}
	if subject.Type == "group" {
		r.SubjectRelation = "member"
	}
	return r
}

// handler serves one kind of request.
type handler = func(context.Context, request) (any, error)

// share grants a document to a person or a group, or takes that back.
func (b *Backend) share(given bool) handler { return b.relate("viewer", given, b.personOrGroup) }

// ban bans a person from a document, or takes that back.
func (b *Backend) ban(given bool) handler { return b.relate("banned", given, b.onlyPerson) }

// relate writes or deletes a relationship of a document that the person manages.
func (b *Backend) relate(relation string, given bool, subjectOf func(context.Context, string) (authz.ObjectRef, error)) handler {
	return func(ctx context.Context, r request) (any, error) {
		d, err := b.managed(ctx, r)
		if err != nil {
			return nil, err
		}
		subject, err := subjectOf(ctx, r.PathValue("who"))
		if err != nil {
			return nil, err
		}
		inProject := spicedb.Precondition{Filter: spicedb.RelationshipFilter{
			ResourceType: "document", ResourceID: d.ID, Relation: "project", SubjectType: "project", SubjectID: d.ProjectID,
		}}
		return b.write(ctx, given, relationship(document(d.ID), relation, subject), inProject)
	}
}

// join adds a person to a group, or takes that back.
func (b *Backend) join(given bool) handler {
	return func(ctx context.Context, r request) (any, error) {
		if err := b.allowed(ctx, r, mayAdminister, "only an administrator may change groups", workspace); err != nil {
			return nil, err
		}
		who, err := b.onlyPerson(ctx, r.PathValue("who"))
		if err != nil {
			return nil, err
		}
		into, err := b.knownGroup(ctx, r.PathValue("group"))
		if err != nil {
			return nil, err
		}
		return b.write(ctx, given, relationship(into, "member", who))
	}
}

// write is the one write of a change that needs no other.
func (b *Backend) write(ctx context.Context, given bool, r spicedb.Relationship, preconditions ...spicedb.Precondition) (any, error) {
	w := written{Written: []string{r.String()}}
	op := spicedb.Touch
	if !given {
		w = written{Deleted: []string{r.String()}}
		op = spicedb.Delete
	}
	var err error
	w.ZedToken, err = b.relationships.WriteRelationshipsIf(ctx, preconditions, spicedb.Update{Operation: op, Relationship: r})
	return change{written: w}, err
}

// access says whom a document is shared with, and who is banned, to those who may change
// that.
func (b *Backend) access(ctx context.Context, r request) (any, error) {
	d, err := b.managed(ctx, r)
	if err != nil {
		return nil, err
	}
	relationships, err := b.read(ctx, spicedb.RelationshipFilter{ResourceType: "document", ResourceID: d.ID})
	type grant struct {
		Who    string         `json:"who"`
		Caveat string         `json:"caveat,omitempty"`
		Needs  map[string]any `json:"needs,omitempty"`
	}
	by := map[string][]grant{"viewer": {}, "banned": {}}
	for _, r := range relationships {
		by[r.Relation] = append(by[r.Relation], grant{r.Subject.String(), r.Caveat, r.CaveatContext})
	}
	return map[string]any{"viewers": by["viewer"], "banned": by["banned"]}, err
}

// groups returns the people of each group, as far as they are named in it.
func (b *Backend) groups(ctx context.Context) (map[string][]string, error) {
	relationships, err := b.read(ctx, spicedb.RelationshipFilter{ResourceType: "group", Relation: "member"})
	groups := make(map[string][]string)
	for _, r := range relationships {
		members := groups[r.Resource.ID]
		if members == nil {
			members = []string{}
		}
		if r.Subject.Type == "user" {
			members = append(members, r.Subject.ID)
			slices.Sort(members)
		}
		groups[r.Resource.ID] = members
		if r.Subject.Type == "group" && groups[r.Subject.ID] == nil {
			groups[r.Subject.ID] = []string{}
		}
	}
	return groups, err
}

var errNobody = errors.New("neither user:… nor group:…")

func (b *Backend) onlyPerson(_ context.Context, id string) (authz.ObjectRef, error) {
	p, err := b.person(id)
	return user(p.Subject), err
}

// personOrGroup reads user:bob or group:engineering.
func (b *Backend) personOrGroup(ctx context.Context, text string) (authz.ObjectRef, error) {
	who, err := authz.ParseObjectRef(text)
	switch {
	case err == nil && who.Type == "user":
		return b.onlyPerson(ctx, who.ID)
	case err == nil && who.Type == "group":
		return b.knownGroup(ctx, who.ID)
	}
	return who, invalid(errNobody.Error())
}

// knownGroup refuses a group that nobody is in and that is in no other: it would be a
// misspelled one.
func (b *Backend) knownGroup(ctx context.Context, id string) (authz.ObjectRef, error) {
	groups, err := b.groups(ctx)
	if err != nil {
		return authz.ObjectRef{}, err
	}
	if _, ok := groups[id]; !ok {
		return authz.ObjectRef{}, invalid("there is no such group")
	}
	return group(id), nil
}
