package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/cmd/internal/catalog"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/draft"
)

// readTables reads the tables that a draft is for, from Postgres or else from Electric.
func readTables(ctx context.Context, s *settings, f initFlags) ([]draft.Table, error) {
	var wanted []schema.Table
	for _, text := range f.tables {
		table, err := schema.ParseTable(text)
		if err != nil {
			return nil, &exitError{exitNoAnswer, fmt.Errorf("--table %s: %w", text, err)}
		}
		if !slices.Contains(wanted, table) {
			wanted = append(wanted, table)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, tablesTime)
	defer cancel()
	at := s.electricConfig()
	switch {
	case f.databaseURL != "":
		return tablesOfPostgres(ctx, f.databaseURL, wanted)
	case at.URL == "":
		return nil, &exitError{exitNoAnswer, errors.New("not set: DATABASE_URL (--database-url), or else ELECTRIC_URL (--electric-url) with --table for each table")}
	case len(wanted) == 0:
		return nil, &exitError{exitNoAnswer, errors.New("no table is named, and Electric cannot list its tables: name them with --table, or set DATABASE_URL (--database-url)")}
	}
	return tablesOfElectric(ctx, at, wanted)
}

// tablesOfPostgres returns those tables of the database that are wanted: all, if none is
// named.
func tablesOfPostgres(ctx context.Context, url string, wanted []schema.Table) ([]draft.Table, error) {
	tables, err := catalog.Tables(ctx, url)
	if err != nil {
		return nil, &exitError{exitNoAnswer, fmt.Errorf("DATABASE_URL (--database-url): %w", err)}
	}
	if len(wanted) == 0 {
		return tables, nil
	}
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = tables[i].String()
	}
	for _, table := range wanted {
		if !slices.Contains(names, table.String()) {
			return nil, fmt.Errorf("--table: there is no table %s%s", table, schema.DidYouMean(table.String(), names))
		}
	}
	return slices.DeleteFunc(tables, func(t draft.Table) bool { return !slices.Contains(wanted, t.Table) }), nil
}

func tablesOfElectric(ctx context.Context, at electric.Config, wanted []schema.Table) ([]draft.Table, error) {
	client, err := electric.NewClient(at)
	if err != nil {
		return nil, &exitError{exitNoAnswer, err}
	}
	tables := make([]draft.Table, len(wanted))
	for i, table := range wanted {
		// No row meets this where, so that the log which Electric keeps stays empty.
		said, err := client.Probe(ctx, &electric.LogSpec{
			Schema: table.Schema, Table: table.Name, Where: "false", Log: electric.LogChangesOnly,
		})
		if err != nil {
			return nil, refusedTable(table, err)
		}
		tables[i] = tableOf(table, said)
	}
	return tables, nil
}

// refusedTable says why Electric does not describe a table.
func refusedTable(table schema.Table, err error) error {
	var wrong *electric.MisconfiguredError
	if !errors.As(err, &wrong) {
		return &exitError{exitNoAnswer, fmt.Errorf("ask Electric (ELECTRIC_URL) about %s: %w", table, err)}
	}
	reasons := []string{}
	remedy := ""
	for _, finding := range (schema.Shape{Table: table}).Refused(wrong.Refused) {
		reasons = append(reasons, finding.Reason)
		if finding.Column == "" {
			remedy = cmp.Or(remedy, finding.Remedy)
		}
	}
	if len(reasons) == 0 {
		reasons = []string{wrong.Reason}
	}
	return fmt.Errorf("--table: %s; %s", strings.Join(reasons, ", "),
		cmp.Or(remedy, "Electric does not say which columns such a table has: set DATABASE_URL (--database-url)"))
}

// tableOf returns what Electric says of a table: the key's columns come first, and the
// others by name, since Electric does not say their order.
func tableOf(table schema.Table, said *electric.Schema) draft.Table {
	t := draft.Table{Table: table, Key: said.Key}
	others := slices.Sorted(maps.Keys(said.Columns))
	others = slices.DeleteFunc(others, said.InKey)
	for _, name := range slices.Concat(said.Key, others) {
		c := said.Columns[name]
		t.Columns = append(t.Columns, draft.Column{ColumnDescription: schema.ColumnDescription{Name: name, Type: c.Type, Dims: c.Dims}})
	}
	return t
}
