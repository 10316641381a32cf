package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/shapegate/shapegate/integration/postgrestest"
	"github.com/shapegate/shapegate/schema/demo"
)

func (c *control) startPostgres(t *testing.T) {
	t.Helper()
	server := postgrestest.Start(t)
	t.Cleanup(server.Stop)
	url := server.Database(t)
	c.postgres.Store(&url)
}

// statement is a query that a client's library has compiled, with its values as text.
type statement struct {
	SQL    string   `json:"sql"`
	Values []string `json:"values"`
}

// inPostgres runs statements on a real Postgres whose table has the rows of a shape that a
// person may see, and no others. It answers with the ids that each returns, in its order.
func (c *control) inPostgres(r *http.Request) (any, error) {
	var in struct {
		Shape      string      `json:"shape"`
		Person     string      `json:"person"`
		Statements []statement `json:"statements"`
	}
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	w, err := c.world(r)
	if err != nil {
		return nil, err
	}
	person, err := personNamed(in.Person)
	if err != nil {
		return nil, err
	}
	seen, err := w.permitted(r.Context(), person, []view{{shape: in.Shape}}, false)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, row := range seen[view{shape: in.Shape}] {
		ids = append(ids, row.text("id"))
	}
	url := c.postgres.Load()
	if url == nil {
		return nil, errors.New("this script has no Postgres")
	}
	return runInPostgres(r.Context(), *url, rules[in.Shape].table, ids, in.Statements)
}

// runInPostgres leaves the database as it was.
func runInPostgres(ctx context.Context, url, table string, ids []string, statements []statement) (answers [][]string, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }() // which ends the transaction
	// Electric's stand-in orders texts by their bytes, whatever the locale of this machine is.
	setup := "BEGIN; SET LOCAL TimeZone = 'UTC'; " + demo.SQL + tasksSQL +
		`ALTER TABLE tasks ALTER title TYPE text COLLATE "C", ALTER note TYPE text COLLATE "C"`
	if _, err := conn.PgConn().Exec(ctx, setup).ReadAll(); err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "DELETE FROM "+table+" WHERE NOT id::text = ANY($1)", ids); err != nil {
		return nil, err
	}
	for _, s := range statements {
		values := make([][]byte, len(s.Values))
		for i, v := range s.Values {
			values[i] = []byte(v)
		}
		// As text and without types, as drivers for JavaScript send them.
		result := conn.PgConn().ExecParams(ctx, s.SQL, values, nil, nil, nil).Read()
		if result.Err != nil {
			return nil, fmt.Errorf("%s %q: %w", s.SQL, s.Values, result.Err)
		}
		found := []string{}
		for _, row := range result.Rows {
			found = append(found, string(row[0])) // each selects the id first
		}
		answers = append(answers, found)
	}
	return answers, nil
}
