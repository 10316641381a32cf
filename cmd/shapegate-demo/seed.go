package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/demoapp"
	"github.com/shapegate/shapegate/schema/demo"
)

// seed writes the demo into an empty SpiceDB. That another one is left alone is no error:
// it is what a second start of everything finds.
func seed(ctx context.Context, s settings, out io.Writer) error {
	if err := require(s.values(), "SPICEDB_ENDPOINT", "SPICEDB_TOKEN"); err != nil {
		return err
	}
	client, err := spicedb.Dial(s.spicedb)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	relationships := demo.RelationshipLines()
	done, err := demoapp.Seed(ctx, client, demo.Schema, relationships)
	switch {
	case err != nil:
		return errors.New(spicedb.Explain(err))
	case done:
		_, err = fmt.Fprintf(out, "SpiceDB was empty: wrote the demo's schema and %d relationships\n", len(relationships))
	default:
		_, err = fmt.Fprintln(out, "SpiceDB has a schema: left it as it is, with its relationships")
	}
	return err
}
