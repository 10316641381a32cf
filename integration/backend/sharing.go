package backend

import (
	"context"
	"errors"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
)

// sharing says who sees and edits a document, and who is in a group. Each of its changes is
// one write to SpiceDB.
type sharing struct {
	people      people
	permissions *permissions
	relations   relations
}

// share lets a person or a group view or edit a document, or takes that back.
func (s *sharing) share(as string, given bool) handler {
	return s.relate(as, given, s.personOrGroup)
}

// ban bans a person from a document, or takes that back.
func (s *sharing) ban(given bool) handler { return s.relate("banned", given, s.onlyPerson) }

// relate writes or deletes a relationship of a document that the person may share.
func (s *sharing) relate(relation string, given bool, subjectOf func(context.Context, string) (authz.ObjectRef, error)) handler {
	return func(ctx context.Context, r request) (any, error) {
		id, inProject, err := s.shareable(ctx, r)
		if err != nil {
			return nil, err
		}
		subject, err := subjectOf(ctx, r.PathValue("who"))
		if err != nil {
			return nil, err
		}
		return s.relations.write(ctx, given, relationship(document(id), relation, subject), inProject...)
	}
}

// shareable returns the request's document, if the person may share it, and on which
// preconditions: that it is still in the project which it was in before that was checked.
// A document that is not there is refused as one that may not be shared.
func (s *sharing) shareable(ctx context.Context, r request) (id string, given []spicedb.Precondition, err error) {
	if id, err = documentID(r); err != nil {
		return "", nil, err
	}
	filter := spicedb.RelationshipFilter{ResourceType: "document", ResourceID: id, Relation: "project"}
	in, err := s.relations.read(ctx, filter)
	if err != nil {
		return "", nil, err
	}
	for _, found := range in {
		filter.SubjectType, filter.SubjectID = found.Subject.Type, found.Subject.ID
		given = append(given, spicedb.Precondition{Filter: filter})
	}
	return id, given, s.permissions.allowed(ctx, r, mayShare, notYours, document(id))
}

// join adds a person to a group, or takes that back.
func (s *sharing) join(given bool) handler {
	return func(ctx context.Context, r request) (any, error) {
		if err := s.permissions.allowed(ctx, r, mayAdminister, "only an administrator may change groups", workspace); err != nil {
			return nil, err
		}
		who, err := s.people.subject(r.PathValue("who"))
		if err != nil {
			return nil, err
		}
		into, err := s.relations.knownGroup(ctx, r.PathValue("group"))
		if err != nil {
			return nil, err
		}
		return s.relations.write(ctx, given, relationship(into, "member", who))
	}
}

// access says whom a document is shared with, and who is banned, to those who may change
// that.
func (s *sharing) access(ctx context.Context, r request) (any, error) {
	id, _, err := s.shareable(ctx, r)
	if err != nil {
		return nil, err
	}
	relationships, err := s.relations.read(ctx, spicedb.RelationshipFilter{ResourceType: "document", ResourceID: id})
	type grant struct {
		Who    string         `json:"who"`
		Caveat string         `json:"caveat,omitempty"`
		Needs  map[string]any `json:"needs,omitempty"`
	}
	by := map[string][]grant{"viewer": {}, "editor": {}, "banned": {}}
	for _, r := range relationships {
		by[r.Relation] = append(by[r.Relation], grant{r.Subject.String(), r.Caveat, r.CaveatContext})
	}
	return map[string]any{"viewers": by["viewer"], "editors": by["editor"], "banned": by["banned"]}, err
}

var errNobody = errors.New("neither user:… nor group:…")

func (s *sharing) onlyPerson(_ context.Context, id string) (authz.ObjectRef, error) {
	return s.people.subject(id)
}

// personOrGroup reads user:bob or group:engineering.
func (s *sharing) personOrGroup(ctx context.Context, text string) (authz.ObjectRef, error) {
	who, err := authz.ParseObjectRef(text)
	switch {
	case err == nil && who.Type == "user":
		return s.people.subject(who.ID)
	case err == nil && who.Type == "group":
		return s.relations.knownGroup(ctx, who.ID)
	}
	return who, invalid(errNobody.Error())
}
