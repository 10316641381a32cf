package backend

import (
	"context"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
)

// Relationships is what is asked of SpiceDB. *spicedb.Client is one.
type Relationships interface {
	CheckPermissions(ctx context.Context, checks []authz.Check) ([]authz.CheckResult, authz.ZedToken, error)
	WriteRelationshipsIf(ctx context.Context, preconditions []spicedb.Precondition, updates ...spicedb.Update) (zedToken string, err error)
	relationshipReader
}

// written is what was done to relationships.
type written struct {
	ZedToken string   `json:"zed_token,omitempty"`
	Written  []string `json:"written,omitempty"`
	Deleted  []string `json:"deleted,omitempty"`
}

// settle has the relationships of a marked document agree with its row. It finds nothing
// to do where Run was faster.
func (b *Backend) settle(ctx context.Context, id string) (w written, err error) {
	err = b.rows.Settle(ctx, id, func(d Document) error {
		w, err = b.place(ctx, d)
		return err
	})
	return w, err
}

// place puts a document into its row's project, and into no other, if the relationships
// are still those that it has read.
func (b *Backend) place(ctx context.Context, d Document) (w written, err error) {
	filter := spicedb.RelationshipFilter{ResourceType: "document", ResourceID: d.ID, Relation: "project"}
	present, err := b.read(ctx, filter)
	if err != nil {
		return w, err
	}
	wanted := relationship(document(d.ID), "project", project(d.ProjectID))
	updates := []spicedb.Update{{Operation: spicedb.Touch, Relationship: wanted}}
	w.Written = []string{wanted.String()}
	given := []spicedb.Precondition{{Filter: filter, Absent: true}}
	if len(present) > 0 {
		given = nil
	}
	for _, r := range present {
		there := filter
		there.SubjectType, there.SubjectID = r.Subject.Type, r.Subject.ID
		given = append(given, spicedb.Precondition{Filter: there})
		if r.Subject != wanted.Subject {
			updates = append(updates, spicedb.Update{Operation: spicedb.Delete, Relationship: r})
			w.Deleted = append(w.Deleted, r.String())
		}
	}
	if w.ZedToken, err = b.relationships.WriteRelationshipsIf(ctx, given, updates...); err != nil {
		return written{}, err
	}
	return w, nil
}

const (
	// settleTime bounds the second write. It goes on when the browser has gone.
	settleTime = 5 * time.Second

	repairEvery = time.Second

	// fresh marks are the business of the request that has made them.
	fresh = 2 * time.Second
)

// Run settles the marks that requests have left behind, until ctx ends. Several processes
// may run it.
func (b *Backend) Run(ctx context.Context) {
	tick := time.NewTicker(repairEvery)
	defer tick.Stop()
	for {
		b.repair(ctx, fresh)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// repair settles every mark that is older than age. One that fails stays, and holds up no
// other.
func (b *Backend) repair(ctx context.Context, age time.Duration) {
	due, err := b.rows.Due(ctx, age)
	if err != nil && ctx.Err() == nil {
		b.log.Warn("marks of documents could not be read", "cause", err)
	}
	for _, id := range due {
		ctx, cancel := context.WithTimeout(ctx, settleTime)
		_, err := b.settle(ctx, id)
		cancel()
		if err != nil && ctx.Err() == nil {
			b.log.Warn("a document's relationships are still due", "document", id, "cause", err)
		}
	}
}
