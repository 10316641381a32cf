package backend

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shapegate/shapegate/schema/demo"
)

// Postgres keeps rows in the database that a real Electric reads.
type Postgres struct{ pool *pgxpool.Pool }

var _ Rows = (*Postgres)(nil)

// marksSQL makes the tables of this package's own. Electric is never asked for them.
//
//go:embed marks.sql
var marksSQL string

// OpenPostgres connects to a database, and makes the tables that it lacks. The caller
// closes it.
func OpenPostgres(ctx context.Context, url string) (*Postgres, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, errors.New("DATABASE_URL is not the URL of a Postgres") // the cause may quote the password
	}
	p := &Postgres{pool}
	if err := p.prepare(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return p, nil
}

// Close ends the connections.
func (p *Postgres) Close() { p.pool.Close() }

func (p *Postgres) prepare(ctx context.Context) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		// Two processes may start at once.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('shapegate demo'))"); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass('documents') IS NOT NULL").Scan(&there); err != nil {
			return err
		}
		if !there {
			if _, err := tx.Exec(ctx, demo.SQL); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, marksSQL)
		return err
	})
}

// Projects implements Rows.
func (p *Postgres) Projects(ctx context.Context) ([]Project, error) {
	rows, err := p.pool.Query(ctx, "SELECT id, name FROM projects ORDER BY name")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Project])
}

func (p *Postgres) ids(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := p.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Document implements Rows.
func (p *Postgres) Document(ctx context.Context, id string) (Document, error) {
	return documentOf(ctx, p.pool, id)
}

// querier is a connection, or a transaction on one.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func documentOf(ctx context.Context, q querier, id string) (d Document, err error) {
	err = q.QueryRow(ctx, "SELECT id::text, project_id, title, coalesce(body, '') FROM documents WHERE id = $1", id).
		Scan(&d.ID, &d.ProjectID, &d.Title, &d.Body)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoRow
	}
	return d, err
}

// write runs a transaction, and returns its id as Electric has it in a row's headers: 32
// bits, without the epoch.
func (p *Postgres) write(ctx context.Context, do func(tx pgx.Tx, txid int64) error) (txid int64, err error) {
	err = pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "SELECT pg_current_xact_id()::xid::text::int8").Scan(&txid); err != nil {
			return err
		}
		return do(tx, txid)
	})
	return txid, err
}

// mark says that a row's relationships are due. It waits for whoever settles them.
func mark(ctx context.Context, tx pgx.Tx, id string) error {
	_, err := tx.Exec(ctx, "INSERT INTO demo_due (document_id, since) VALUES ($1, now()) ON CONFLICT (document_id) DO UPDATE SET since = now()", id)
	return err
}

// Insert implements Rows.
func (p *Postgres) Insert(ctx context.Context, person string, d Document) (int64, error) {
	var before int64
	txid, err := p.write(ctx, func(tx pgx.Tx, txid int64) error {
		// Another insert of the id that is under way is waited for.
		done, err := tx.Exec(ctx, "INSERT INTO documents (id, project_id, title, body, updated_at) VALUES ($1, $2, $3, $4, now()) ON CONFLICT (id) DO NOTHING",
			d.ID, d.ProjectID, d.Title, d.Body)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			err := tx.QueryRow(ctx, "SELECT txid FROM demo_created WHERE document_id = $1 AND person = $2", d.ID, person).Scan(&before)
			if errors.Is(err, pgx.ErrNoRows) {
				err = ErrTaken
			}
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO demo_created (document_id, person, txid) VALUES ($1, $2, $3)", d.ID, person, txid); err != nil {
			return err
		}
		return mark(ctx, tx, d.ID)
	})
	if before != 0 {
		txid = before
	}
	return txid, err
}

// Edit implements Rows.
func (p *Postgres) Edit(ctx context.Context, id, title, body string) (int64, error) {
	return p.write(ctx, func(tx pgx.Tx, _ int64) error {
		done, err := tx.Exec(ctx, "UPDATE documents SET title = $2, body = $3, revision = revision + 1, updated_at = now() WHERE id = $1", id, title, body)
		if err == nil && done.RowsAffected() == 0 {
			err = ErrNoRow
		}
		return err
	})
}

// Move implements Rows.
func (p *Postgres) Move(ctx context.Context, id, from, to string) (int64, error) {
	return p.write(ctx, func(tx pgx.Tx, _ int64) error {
		done, err := tx.Exec(ctx, "UPDATE documents SET project_id = $3, revision = revision + 1, updated_at = now() WHERE id = $1 AND project_id = $2", id, from, to)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			if _, err := documentOf(ctx, tx, id); err != nil {
				return err
			}
			return ErrMoved
		}
		return mark(ctx, tx, id)
	})
}

// Due implements Rows.
func (p *Postgres) Due(ctx context.Context, age time.Duration) ([]string, error) {
	return p.ids(ctx, "SELECT document_id::text FROM demo_due WHERE since <= now() - $1::interval ORDER BY since", age)
}

// Settle implements Rows. It has the mark locked while do runs, and reads the row after
// that, so that it is the newest that is committed. It keeps a connection for as long: what
// do asks of others has to be bounded in time.
func (p *Postgres) Settle(ctx context.Context, id string, do func(Document) error) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		found, err := tx.Exec(ctx, "SELECT FROM demo_due WHERE document_id = $1 FOR UPDATE", id)
		if err != nil || found.RowsAffected() == 0 {
			return err
		}
		d, err := documentOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := do(d); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "DELETE FROM demo_due WHERE document_id = $1", id)
		return err
	})
}
