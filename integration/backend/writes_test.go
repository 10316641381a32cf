package backend

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
)

func TestANewDocumentIsSeenByItsProject(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		a := w.as("alice", http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusOK)
		if a.field("txid") == nil || a.field("zed_token") == nil || a.field("pending") != nil {
			t.Errorf("%s", a.body)
		}
		w.placed(fresh1, "comet")
		if !w.mayView("alice", fresh1) || w.mayView("bob", fresh1) {
			t.Error("others than the project's people see it")
		}
		if due := w.due(); len(due) > 0 {
			t.Errorf("due: %v", due)
		}
	})
}

// The first write fails: nothing has happened, and the same request succeeds later.
func TestWithoutTheRowThereIsNoRelationship(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		w.rows.insert = errDown
		w.as("alice", http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusInternalServerError)
		if got := w.of(fresh1); len(got) > 0 {
			t.Errorf("%v", got)
		}
		w.rows.insert = nil
		w.as("alice", http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusOK)
		w.placed(fresh1, "comet")
	})
}

// The second write fails: the row is kept, nobody sees it, and it is repaired.
func TestARowWithoutItsRelationshipIsSeenByNobodyAndRepaired(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		w.relationships.Relationships = &away{Relationships: w.client, writes: true}
		a := w.as("alice", http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusAccepted)
		if a.field("pending") != true || a.field("txid") == nil || a.field("zed_token") != nil {
			t.Errorf("%s", a.body)
		}
		if w.mayView("alice", fresh1) || !slices.Equal(w.due(), []string{fresh1}) {
			t.Errorf("seen without a relationship, or not due: %v", w.due())
		}
		w.settler.repair(t.Context(), 0)
		if !slices.Equal(w.due(), []string{fresh1}) {
			t.Error("the mark is gone while SpiceDB is away")
		}
		w.relationships.Relationships = w.client
		w.settler.repair(t.Context(), time.Hour)
		if !slices.Equal(w.due(), []string{fresh1}) {
			t.Error("a fresh mark was settled by another than its request")
		}
		w.settler.repair(t.Context(), 0)
		w.placed(fresh1, "comet")
		if !w.mayView("alice", fresh1) || len(w.due()) > 0 {
			t.Error("it was not repaired")
		}
	})
}

// The process dies between the two writes: another one finds the mark.
func TestAnotherProcessRepairsWhatOneLeftBehind(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		if _, err := w.rows.Insert(t.Context(), "alice", Document{ID: fresh1, ProjectID: "comet", Title: "Left behind"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		config := w.config
		config.Relationships = &done{w.client, cancel}
		other, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		other.Run(ctx) // until it has written
		w.placed(fresh1, "comet")
	})
}

// The relationship is written, and the mark cannot be dropped: once more is harmless.
func TestSettlingTwiceChangesNothing(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		w.rows.drop = errDown
		w.as("alice", http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusAccepted)
		w.placed(fresh1, "comet")
		w.rows.drop = nil
		w.settler.repair(t.Context(), 0)
		w.placed(fresh1, "comet")
		if len(w.due()) > 0 {
			t.Error("still due")
		}
	})
}

// The answer is lost, and the browser sends the request again.
func TestTheSameRequestAgainHasTheSameAnswer(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		first := w.as("alice", http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusOK)
		again := w.as("alice", http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusOK)
		if first.field("txid") != again.field("txid") {
			t.Errorf("%s and then %s", first.body, again.body)
		}
	})
}

// An id belongs to whoever made its row: nobody else's request writes a relationship of it.
func TestAnIdThatIsTakenIsNotTakenOver(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		before := w.of(review)
		w.as("alice", http.MethodPut, path(review), newDocument("comet")).is(http.StatusConflict)
		w.as("alice", http.MethodPut, path(fresh1), newDocument("comet")).is(http.StatusOK)
		w.as("bob", http.MethodPut, path(fresh1), newDocument("borealis")).is(http.StatusConflict)
		if got := w.of(review); !slices.Equal(got, before) {
			t.Errorf("%v became %v", before, got)
		}
		w.placed(fresh1, "comet")
		if len(w.due()) > 0 {
			t.Errorf("due: %v", w.due())
		}
	})
}

func TestAMoveTakesFromOneProjectAndGivesToAnother(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		a := w.as("carol", http.MethodPost, path(pitch)+"/move", map[string]string{"project_id": "borealis"}).is(http.StatusOK)
		if a.field("txid") == nil || a.field("written") == nil || a.field("deleted") == nil {
			t.Errorf("%s", a.body)
		}
		w.placed(pitch, "borealis")
		if w.mayView("alice", pitch) || !w.mayView("bob", pitch) {
			t.Error("the wrong people see it")
		}
		// Once more, as when the answer was lost.
		w.as("carol", http.MethodPost, path(pitch)+"/move", map[string]string{"project_id": "borealis"}).is(http.StatusOK)
		w.placed(pitch, "borealis")
	})
}

func TestAMoveWhoseFirstWriteFailsIsNoMove(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		w.rows.move = errDown
		w.as("carol", http.MethodPost, path(pitch)+"/move", map[string]string{"project_id": "borealis"}).is(http.StatusInternalServerError)
		w.placed(pitch, "comet")
	})
}

func TestAMoveWhoseSecondWriteFailsIsFinishedLater(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		w.relationships.Relationships = &away{Relationships: w.client, writes: true}
		w.as("carol", http.MethodPost, path(pitch)+"/move", map[string]string{"project_id": "borealis"}).is(http.StatusAccepted)
		if !w.mayView("alice", pitch) || w.mayView("bob", pitch) {
			t.Error("meanwhile it is seen by others than before")
		}
		w.relationships.Relationships = w.client
		w.settler.repair(t.Context(), 0)
		w.placed(pitch, "borealis")
		if w.mayView("alice", pitch) || !w.mayView("bob", pitch) {
			t.Error("it was not finished")
		}
	})
}

// Whoever wins, the relationships agree with the row in the end.
func TestMovesThatOvertakeEachOtherEndWhereTheRowIs(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		token := "Bearer " + w.token("carol")
		var all sync.WaitGroup
		for _, to := range []string{"atlas", "borealis", "comet", "atlas", "borealis", "comet"} {
			all.Go(func() {
				a := w.send(token, http.MethodPost, path(charter)+"/move", map[string]string{"project_id": to})
				if a.status != http.StatusOK && a.status != http.StatusAccepted && a.status != http.StatusConflict {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		all.Wait()
		w.settler.repair(t.Context(), 0)
		d, err := w.rows.Document(t.Context(), charter)
		w.check(err)
		w.placed(charter, d.ProjectID)
		if len(w.due()) > 0 {
			t.Errorf("due: %v", w.due())
		}
	})
}

// A write to SpiceDB that was given up arrives after a newer one, and does nothing.
func TestAWriteThatArrivesLateDoesNothing(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		late := &delayed{Relationships: w.client}
		w.relationships.Relationships = late
		w.as("carol", http.MethodPost, path(pitch)+"/move", map[string]string{"project_id": "borealis"}).is(http.StatusAccepted)
		w.relationships.Relationships = w.client
		w.as("carol", http.MethodPost, path(pitch)+"/move", map[string]string{"project_id": "atlas"}).is(http.StatusOK)
		w.placed(pitch, "atlas")
		if err := late.arrive(); !errors.Is(err, spicedb.ErrPrecondition) {
			t.Errorf("the late write: %v", err)
		}
		w.placed(pitch, "atlas")
	})
}

// A mark waits for nobody but its own document.
func TestOneDocumentThatCannotBeSettledHoldsUpNoOther(t *testing.T) {
	onEachKindOfRows(t, func(t *testing.T, w *world) {
		for _, id := range []string{fresh1, "d0c00000-0000-4000-8000-000000000102"} {
			_, err := w.rows.Insert(t.Context(), "alice", Document{ID: id, ProjectID: "comet", Title: "Due"})
			w.check(err)
		}
		w.relationships.Relationships = &away{Relationships: w.client, writes: true, only: fresh1}
		w.settler.repair(t.Context(), 0)
		if due := w.due(); !slices.Equal(due, []string{fresh1}) {
			t.Errorf("due: %v", due)
		}
	})
}

// away is a SpiceDB that does not answer some calls.
type away struct {
	Relationships
	writes bool
	only   string // writes of this document
}

func (a *away) WriteRelationshipsIf(ctx context.Context, p []spicedb.Precondition, u ...spicedb.Update) (string, error) {
	if a.writes && (a.only == "" || u[0].Relationship.Resource.ID == a.only) {
		return "", authz.E(authz.Unavailable, "write relationships", nil)
	}
	return a.Relationships.WriteRelationshipsIf(ctx, p, u...)
}

// delayed keeps a write back that its caller has given up.
type delayed struct {
	Relationships
	arrive func() error
}

func (d *delayed) WriteRelationshipsIf(_ context.Context, p []spicedb.Precondition, u ...spicedb.Update) (string, error) {
	d.arrive = func() error {
		_, err := d.Relationships.WriteRelationshipsIf(context.Background(), p, u...)
		return err
	}
	return "", authz.E(authz.Unavailable, "write relationships", context.DeadlineExceeded)
}

// done tells when something was written.
type done struct {
	Relationships
	tell func()
}

func (d *done) WriteRelationshipsIf(ctx context.Context, p []spicedb.Precondition, u ...spicedb.Update) (string, error) {
	defer d.tell()
	return d.Relationships.WriteRelationshipsIf(ctx, p, u...)
}

// moving moves what is about to be written about, after the check.
type moving struct {
	Relationships
	move func()
}

func (m *moving) WriteRelationshipsIf(ctx context.Context, p []spicedb.Precondition, u ...spicedb.Update) (string, error) {
	m.move()
	return m.Relationships.WriteRelationshipsIf(ctx, p, u...)
}
