package backend

import (
	"context"
	"log/slog"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// settler has the relationships of documents follow their rows: at once after a write, and
// later where that failed.
type settler struct {
	rows      Rows
	relations relations
	log       *slog.Logger
}

// second does the second of two writes. The first is done, so this is no error any more:
// where the second fails, the person is told that it will follow.
func (s *settler) second(ctx context.Context, id string, txid int64) change {
	// The browser may have gone. What was begun is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	w, err := s.settle(ctx, id)
	if err != nil {
		s.log.Warn("a document's relationships are due", "document", id, "cause", err)
	}
	return change{TxID: txid, Pending: err != nil, written: w}
}

// settle has the relationships of a marked document agree with its row. It finds nothing
// to do where run was faster.
func (s *settler) settle(ctx context.Context, id string) (w written, err error) {
	err = s.rows.Settle(ctx, id, func(d Document) error {
		w, err = s.place(ctx, d)
		return err
	})
	return w, err
}

// place puts a document into its row's project, and into no other, if the relationships
// are still those that it has read.
func (s *settler) place(ctx context.Context, d Document) (w written, err error) {
	filter := spicedb.RelationshipFilter{ResourceType: "document", ResourceID: d.ID, Relation: "project"}
	present, err := s.relations.read(ctx, filter)
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
	if w.ZedToken, err = s.relations.relationships.WriteRelationshipsIf(ctx, given, updates...); err != nil {
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

// run settles the marks that requests have left behind, until ctx ends. Several processes
// may run it.
func (s *settler) run(ctx context.Context) {
	tick := time.NewTicker(repairEvery)
	defer tick.Stop()
	for {
		s.repair(ctx, fresh)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// repair settles every mark that is older than age. One that fails stays, and holds up no
// other.
func (s *settler) repair(ctx context.Context, age time.Duration) {
	due, err := s.rows.Due(ctx, age)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("marks of documents could not be read", "cause", err)
	}
	for _, id := range due {
		ctx, cancel := context.WithTimeout(ctx, settleTime)
		_, err := s.settle(ctx, id)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.log.Warn("a document's relationships are still due", "document", id, "cause", err)
		}
	}
}
