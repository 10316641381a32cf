package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

// checkFit compares the shapes with the schema and the tables that are embedded, which
// nobody else mends. Parts of the user's own may still get what is missing.
func (w *world) checkFit(ctx context.Context) error {
	var misfits []error
	if w.isEmbedded {
		definitions, err := gateway.ReadDefinitions(ctx, w.admin)
		if err != nil {
			return errors.New(spicedb.Explain(err))
		}
		err = w.shapes.Validate(definitions)
		if err != nil && w.files.schema != "" && w.files.shapes == "" {
			return fmt.Errorf("--schema needs --relationships and --shapes: the demo's shapes ask for definitions that %s does not have", w.files.schema)
		}
		misfits = append(misfits, err)
	}
	if w.table != nil {
		client, err := electric.NewClient(w.electric)
		if err != nil {
			return err
		}
		err = gateway.CheckTables(ctx, client, w.shapes.Shapes)
		misfits = append(misfits, err, w.tablesHint(err))
	}
	return errors.Join(misfits...)
}

// tablesHint says how to bring tables, where a table is missing that only the user has.
func (w *world) tablesHint(err error) error {
	if err == nil || w.files.sql != "" || !slices.ContainsFunc(findings(err), func(f schema.Finding) bool { return f.At() == "table" }) {
		return nil
	}
	return errors.New("the stand-in for Electric has the demo's tables alone: bring tables with --sql FILE")
}

// findings returns those that are joined to an error.
func findings(err error) []schema.Finding {
	var one schema.Finding
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // errors.Join's own value
		var all []schema.Finding
		for _, e := range joined.Unwrap() {
			all = append(all, findings(e)...)
		}
		return all
	}
	if errors.As(err, &one) {
		return []schema.Finding{one}
	}
	return nil
}
