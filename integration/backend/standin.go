package backend

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
)

// Standin keeps rows in the stand-in for Electric. Its marks are in memory, as the rows
// are: both end together.
type Standin struct {
	tables *electrictest.Server

	mu      sync.Mutex // whoever writes a row has it, so that a row and its mark are one write
	due     map[string]time.Time
	created map[string]creation
}

type creation struct {
	person string
	txid   int64
}

var _ Rows = (*Standin)(nil)

// NewStandin returns the rows of a stand-in that has the demo's tables.
func NewStandin(tables *electrictest.Server) *Standin {
	return &Standin{tables: tables, due: make(map[string]time.Time), created: make(map[string]creation)}
}

// Projects implements Rows.
func (s *Standin) Projects(context.Context) ([]Project, error) {
	_, rows, err := s.tables.Query("SELECT id, name FROM projects ORDER BY name")
	var projects []Project
	for _, row := range rows {
		projects = append(projects, Project{ID: *row[0], Name: *row[1]})
	}
	return projects, err
}

// Document implements Rows.
func (s *Standin) Document(_ context.Context, id string) (Document, error) {
	_, rows, err := s.tables.Query(fmt.Sprintf(
		"SELECT id, project_id, title, body FROM documents WHERE id = '%s'", strings.ReplaceAll(id, "'", "''")))
	if err != nil {
		return Document{}, err
	}
	if len(rows) == 0 {
		return Document{}, ErrNoRow
	}
	row := rows[0]
	d := Document{ID: *row[0], ProjectID: *row[1], Title: *row[2]}
	if row[3] != nil {
		d.Body = *row[3]
	}
	return d, nil
}

// Insert implements Rows.
func (s *Standin) Insert(ctx context.Context, person string, d Document) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.Document(ctx, d.ID); err == nil {
		if before := s.created[d.ID]; before.person == person {
			return before.txid, nil
		}
		return 0, ErrTaken
	}
	txid, err := s.tables.Exec("INSERT INTO documents (id, project_id, title, body, updated_at) VALUES ($1, $2, $3, $4, $5)",
		d.ID, d.ProjectID, d.Title, d.Body, time.Now())
	if err == nil {
		s.created[d.ID] = creation{person, txid}
		s.due[d.ID] = time.Now()
	}
	return txid, err
}

// Edit implements Rows.
func (s *Standin) Edit(ctx context.Context, id, title, body string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.Document(ctx, id); err != nil {
		return 0, err
	}
	return s.tables.Exec("UPDATE documents SET title = $2, body = $3, revision = revision + 1, updated_at = $4 WHERE id = $1",
		id, title, body, time.Now())
}

// Move implements Rows.
func (s *Standin) Move(ctx context.Context, id, from, to string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, err := s.Document(ctx, id); err != nil {
		return 0, err
	} else if d.ProjectID != from {
		return 0, ErrMoved
	}
	txid, err := s.tables.Exec("UPDATE documents SET project_id = $2, revision = revision + 1, updated_at = $3 WHERE id = $1", id, to, time.Now())
	if err == nil {
		s.due[id] = time.Now()
	}
	return txid, err
}

// Due implements Rows.
func (s *Standin) Due(_ context.Context, age time.Duration) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, since := range s.due {
		if time.Since(since) >= age {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Settle implements Rows.
func (s *Standin) Settle(ctx context.Context, id string, do func(Document) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.due[id]; !ok {
		return nil
	}
	d, err := s.Document(ctx, id)
	if err == nil {
		err = do(d)
	}
	if err == nil {
		delete(s.due, id)
	}
	return err
}
