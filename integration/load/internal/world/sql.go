package world

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// CreateTable is for a database that has no table yet.
	CreateTable = `CREATE TABLE documents (
  id uuid PRIMARY KEY, project_id text NOT NULL, title text NOT NULL, updated_at timestamptz NOT NULL)`

	// The project distinguishes what the tool wrote from other rows.
	deleteRows = `DELETE FROM documents WHERE project_id = 'load'`
)

// Row is a document. The title is one of ours.
type Row struct{ ID, Title string }

// Database runs SQL.
type Database interface {
	Exec(ctx context.Context, sql string) (committed time.Time, err error)
}

// rowsPerStatement is how many rows one INSERT has.
const rowsPerStatement = 500

// Insert writes documents.
func Insert(ctx context.Context, db Database, rows []Row) error {
	for chunk := range slices.Chunk(rows, rowsPerStatement) {
		if _, err := db.Exec(ctx, insert(chunk)); err != nil {
			return fmt.Errorf("insert rows: %w", err)
		}
	}
	return nil
}

func insert(rows []Row) string {
	values := make([]string, len(rows))
	for i, r := range rows {
		values[i] = fmt.Sprintf("('%s', 'load', '%s', '2026-01-01 00:00:00+00')", r.ID, r.Title)
	}
	return "INSERT INTO documents (id, project_id, title, updated_at) VALUES " + strings.Join(values, ", ")
}

// Clear deletes what the tool has written, in this run or in an earlier one.
func Clear(ctx context.Context, db Database) error {
	if _, err := db.Exec(ctx, deleteRows); err != nil {
		return fmt.Errorf("delete the tool's rows: %w", err)
	}
	return nil
}

// ChangeTitle is the SQL that changes a document. The title is one of ours.
func ChangeTitle(id, title string) string {
	return fmt.Sprintf("UPDATE documents SET title = '%s' WHERE id = '%s'", title, id)
}
