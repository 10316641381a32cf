package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/shapetoken"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

func newCheckConfigCommand(s *settings) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Check the shape definitions, for themselves, against SpiceDB's schema and Electric's tables",
		Long: `Check the shape definitions: for themselves, against SpiceDB's schema, and against
Electric's tables where ELECTRIC_URL is set. What is wrong is printed with its
place in the file, and with what to do. Where REDIS_URL is set, it must name the
Redis as what it is: one server, or a cluster. Where SHAPEGATE_GATEKEEPER_KEY_FILE
is set, the file must have keys that tokens can be signed with.

What would work better otherwise is a hint, and does not change the exit code: a
SpiceDB that is too old, that cannot be watched, or whose schema has no heartbeat;
a where that Electric has no index for; and, where DATABASE_URL names the Postgres
that Electric reads, a filter's column without an index.

Electric keeps a log for each table that it is asked about, as it does when shapes
are served.`,
		Example: `  shapegate check-config
  shapegate check-config --offline --shapes my-shapes.yaml`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			shapes, err := loadShapes(s.ShapesFile)
			if err != nil {
				return reject(cmd, err)
			}
			r := &report{cmd: cmd}
			if err := checkAll(r, s, shapes, offline, args); err != nil {
				return err
			}
			return r.end(shapes)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "ask neither SpiceDB nor Electric, Postgres or Redis")
	return cmd
}

// checkAll checks the shapes against all that they name. Its error is of the settings.
func checkAll(r *report, s *settings, shapes schema.File, offline bool, args []string) error {
	for _, hint := range schema.WhereHints(shapes.Shapes) {
		r.hint(hint.Error())
	}
	checkKeys(r, s.Gateway.Gatekeeper.KeyFile)
	if offline {
		r.leftOut("the permissions (SpiceDB's schema)")
		r.leftOut("the tables and columns (Electric)")
		return nil
	}
	err := withSpiceDB(s, func(_ *cobra.Command, client *spicedb.Client, _ []string) error {
		checkPermissions(r, client, shapes)
		return nil
	})(r.cmd, args)
	if err != nil {
		return err
	}
	checkTables(r, s.electricConfig(), shapes.Shapes)
	checkIndexes(r, s.DatabaseURL, shapes.Shapes)
	checkRedis(r, s.redisConfig())
	return nil
}

// checkKeys reads the gatekeeper's keys.
func checkKeys(r *report, file string) {
	if file == "" {
		return // there is no gatekeeper
	}
	if _, err := shapetoken.OpenKeyFile(file); err != nil {
		r.wrong(fmt.Errorf("SHAPEGATE_GATEKEEPER_KEY_FILE: %w", err))
	}
}

// checkPermissions compares the shapes with SpiceDB's schema, and looks at SpiceDB itself.
func checkPermissions(r *report, client *spicedb.Client, shapes schema.File) {
	err := compareShapes(r, client, shapes)
	if authz.KindOf(err) == authz.Unavailable {
		err = fmt.Errorf("the permissions could not be checked (--offline leaves them out): %w", err)
	}
	if err == nil {
		err = examineSpiceDB(r, client)
	}
	if err != nil {
		r.failed(err)
	}
}

// compareShapes compares the shapes with SpiceDB's schema.
func compareShapes(r *report, client *spicedb.Client, shapes schema.File) error {
	ctx := r.cmd.Context()
	definitions, err := gateway.ReadDefinitions(ctx, client)
	if err != nil {
		return err
	}
	if err := shapes.Validate(definitions); err != nil {
		r.wrong(err)
		return nil
	}
	parameters := make(map[schema.Permission][]string)
	for _, p := range shapes.ContextPermissions() {
		if parameters[p], err = client.CaveatParameters(ctx, p.Definition, p.Name); err != nil {
			return err
		}
	}
	if err := shapes.ValidateContext(parameters); err != nil {
		r.wrong(err)
	}
	for _, hint := range shapes.Hints(definitions) {
		r.hint(hint.Error())
	}
	return nil
}

// tablesTime bounds the questions to Electric, which may have to create a log for
// each shape.
const tablesTime = 30 * time.Second

// checkTables compares the shapes with Electric's tables.
func checkTables(r *report, at electric.Config, shapes []schema.Shape) {
	if at.URL == "" {
		r.leftOut("the tables and columns (ELECTRIC_URL is not set)")
		return
	}
	client, err := electric.NewClient(at)
	if err != nil {
		r.failed(err)
		return
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), tablesTime)
	defer cancel()
	err = gateway.CheckTables(ctx, client, shapes)
	var finding schema.Finding
	switch {
	case errors.As(err, &finding):
		r.wrong(err)
	case err != nil:
		r.failed(fmt.Errorf("ask Electric (ELECTRIC_URL) about the tables: %w", err))
	}
}

// reject prints what is wrong as it is, each on a line that begins with its
// place, so that editors can follow it.
func reject(cmd *cobra.Command, err error) error {
	cmd.PrintErrln(err)
	return &exitError{code: exitNo}
}
