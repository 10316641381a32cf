package backend

import (
	"context"
	"iter"
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
)

// Relationships is what is asked of SpiceDB. *spicedb.Client is one.
type Relationships interface {
	CheckPermissions(ctx context.Context, checks []authz.Check) ([]authz.CheckResult, authz.ZedToken, error)
	WriteRelationshipsIf(ctx context.Context, preconditions []spicedb.Precondition, updates ...spicedb.Update) (zedToken string, err error)
	ReadRelationships(ctx context.Context, filter spicedb.RelationshipFilter) iter.Seq2[spicedb.Relationship, error]
}

// written is what was done to relationships.
type written struct {
	ZedToken string   `json:"zed_token,omitempty"`
	Written  []string `json:"written,omitempty"`
	Deleted  []string `json:"deleted,omitempty"`
}

// relations reads and writes relationships, whoever asks.
type relations struct{ relationships Relationships }

func (r relations) read(ctx context.Context, filter spicedb.RelationshipFilter) ([]spicedb.Relationship, error) {
	var all []spicedb.Relationship
	for found, err := range r.relationships.ReadRelationships(ctx, filter) {
		if err != nil {
			return nil, err
		}
		all = append(all, found)
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

// write is the one write of a change that needs no other.
func (r relations) write(ctx context.Context, given bool, wanted spicedb.Relationship, preconditions ...spicedb.Precondition) (any, error) {
	w := written{Written: []string{wanted.String()}}
	op := spicedb.Touch
	if !given {
		w = written{Deleted: []string{wanted.String()}}
		op = spicedb.Delete
	}
	var err error
	w.ZedToken, err = r.relationships.WriteRelationshipsIf(ctx, preconditions, spicedb.Update{Operation: op, Relationship: wanted})
	return change{written: w}, err
}

// groups returns the people of each group, as far as they are named in it.
func (r relations) groups(ctx context.Context) (map[string][]string, error) {
	relationships, err := r.read(ctx, spicedb.RelationshipFilter{ResourceType: "group", Relation: "member"})
	groups := make(map[string][]string)
	for _, found := range relationships {
		members := groups[found.Resource.ID]
		if members == nil {
			members = []string{}
		}
		if found.Subject.Type == "user" {
			members = append(members, found.Subject.ID)
			slices.Sort(members)
		}
		groups[found.Resource.ID] = members
		if found.Subject.Type == "group" && groups[found.Subject.ID] == nil {
			groups[found.Subject.ID] = []string{}
		}
	}
	return groups, err
}

// knownGroup refuses a group that nobody is in and that is in no other: it would be a
// misspelled one.
func (r relations) knownGroup(ctx context.Context, id string) (authz.ObjectRef, error) {
	groups, err := r.groups(ctx)
	if err != nil {
		return authz.ObjectRef{}, err
	}
	if _, ok := groups[id]; !ok {
		return authz.ObjectRef{}, invalid("there is no such group")
	}
	return group(id), nil
}
