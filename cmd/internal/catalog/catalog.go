// Package catalog reads from Postgres' catalog which tables there are, for "shapegate init",
// and connects to it, for check-config as well. No other command speaks to Postgres, and the
// proxy never does.
package catalog

import (
	"context"
	_ "embed"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"github.com/shapegate/shapegate/schema/draft"
)

//go:embed tables.sql
var tablesSQL string

// ErrURL says that a URL is not one of a Postgres. It does not repeat the URL, which may
// have a password.
var ErrURL = errors.New("must be a URL as in postgres://user:password@host:5432/database")

// Connect connects to the database at a URL. No error has the URL's password. The caller
// closes the connection.
func Connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return nil, file // of a certificate that the URL names
	}
	if err != nil {
		return nil, ErrURL
	}
	return pgx.ConnectConfig(ctx, config)
}

// Tables returns the tables of the database at a URL that Electric can replicate, with
// their columns in the table's order. It reads nothing but the catalog.
func Tables(ctx context.Context, url string) ([]draft.Table, error) {
	conn, err := Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // the answer is there already
	rows, err := conn.Query(ctx, tablesSQL)
	if err != nil {
		return nil, err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return nil, err
	}
	return gather(columns), nil
}

// row is one column of a table.
type row struct {
	Schema, Table string
	Column, Type  string
	Dims          int
	Generated     bool
	KeyIndex      *int // the position in the primary key, from 0
	KeySize       int
}

// gather makes tables of rows, which are sorted by table.
func gather(rows []row) []draft.Table {
	var tables []draft.Table
	for _, r := range rows {
		last := len(tables) - 1
		if last < 0 || tables[last].Schema != r.Schema || tables[last].Name != r.Table {
			t := draft.Table{Key: make([]string, r.KeySize)}
			t.Schema, t.Name = r.Schema, r.Table
			tables = append(tables, t)
			last++
		}
		c := draft.Column{Generated: r.Generated}
		c.Name, c.Type, c.Dims = r.Column, r.Type, r.Dims
		tables[last].Columns = append(tables[last].Columns, c)
		if r.KeyIndex != nil {
			tables[last].Key[*r.KeyIndex] = r.Column
		}
	}
	return tables
}
