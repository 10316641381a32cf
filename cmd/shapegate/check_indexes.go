package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shapegate/shapegate/cmd/internal/catalog"
	"github.com/shapegate/shapegate/schema"
)

const postgresTime = 10 * time.Second

// checkIndexes looks in Postgres' catalog for the indexes that reads of rows by their ids
// need. Electric does not know of indexes.
func checkIndexes(r *report, url secret, shapes []schema.Shape) {
	if url == "" {
		r.leftOut("the indexes (DATABASE_URL is not set)")
		return
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), postgresTime)
	defer cancel()
	if err := compareIndexes(ctx, r, url, shapes); err != nil {
		r.failed(fmt.Errorf("ask Postgres (DATABASE_URL) about the indexes: %w", err))
	}
}

func compareIndexes(ctx context.Context, r *report, url secret, shapes []schema.Shape) error {
	conn, err := catalog.Connect(ctx, url.reveal())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, shape := range shapes {
		indexed, known, err := indexedColumns(ctx, conn, shape)
		if err != nil {
			return err
		}
		if !known {
			continue // Electric has said that there is no such table
		}
		for _, hint := range shape.IndexHints(indexed) {
			r.hint(hint.Error())
		}
	}
	return nil
}

// indexedColumns returns the columns of a shape's table that begin an index which finds
// single values. An index of a part of the rows counts for a shape with a where, which may
// ask for that part.
func indexedColumns(ctx context.Context, conn *pgx.Conn, shape schema.Shape) (columns []string, known bool, err error) {
	if err := conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", shape.Table.String()).Scan(&known); err != nil || !known {
		return nil, false, err
	}
	rows, err := conn.Query(ctx, `
		SELECT a.attname
		FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_am m ON m.oid = c.relam AND m.amname IN ('btree', 'hash')
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND (i.indpred IS NULL OR $2)`,
		shape.Table.String(), shape.Where != nil)
	if err != nil {
		return nil, true, err
	}
	columns, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return columns, true, err
}
