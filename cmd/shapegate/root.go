package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/environ"
)

// The exit codes; see the package's documentation.
const (
	exitNo       = 1
	exitNoAnswer = 2
)

// exitError is an error that knows its exit code. Without a cause it is silent:
// what there was to say has been said.
type exitError struct {
	code  int
	cause error
}

func (e *exitError) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.cause.Error()
}

func (e *exitError) Unwrap() error { return e.cause }

// run is main with everything that a process has passed in. variables has the form of
// os.Environ. It returns the exit code.
func run(ctx context.Context, args, variables []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand(variables) //nolint:contextcheck // each command gets it from ExecuteContext
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	exit := &exitError{code: exitNo, cause: err}
	switch {
	case errors.As(err, &exit):
	case authz.KindOf(err) == authz.Unavailable:
		exit.code = exitNoAnswer
	}
	if exit.cause != nil {
		root.PrintErrln("shapegate:", advice(exit.cause))
	}
	return exit.code
}

// advice says what went wrong. What SpiceDB answered is said by what an operator can
// do about it.
func advice(err error) string {
	cause := new(authz.Error)
	if !errors.As(err, &cause) {
		return err.Error()
	}
	text := spicedb.Explain(cause)
	if text == cause.Error() {
		return err.Error()
	}
	// What was said around the cause stays, such as that of other parts that failed.
	return strings.Replace(err.Error(), cause.Error(), cause.Op+": "+text, 1)
}

func newRootCommand(variables []string) *cobra.Command {
	var s settings
	root := &cobra.Command{
		Use:   "shapegate",
		Short: "Authorize ElectricSQL shapes with SpiceDB",
		Long: `shapegate decides on every request for a shape, from relationships in SpiceDB,
which rows of it a person may sync from Electric.

Every setting is an environment variable; a flag of the same name wins. The help
of each command has those that it reads; shapegate serve --help has all.`,
		Args:          usage(cobra.NoArgs),
		RunE:          needsSubcommand,
		SilenceErrors: true, // run prints them
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			for _, line := range s.unknown(variables) {
				cmd.PrintErrln("shapegate: warning:", line)
			}
			if err := s.load(environ.Lookup(variables)); err != nil {
				return &exitError{exitNoAnswer, err}
			}
			return nil
		},
	}
	s.bind(root.PersistentFlags())
	root.SetFlagErrorFunc(wrongFlag)
	helpOfSettings(root)
	root.AddCommand(
		newServeCommand(&s),
		newInitCommand(&s),
		newCheckConfigCommand(&s),
		newJSONSchemaCommand(),
		newSchemaCommand(&s),
		newRelationshipCommand(&s),
		newCheckCommand(&s),
		newExplainCommand(&s),
		newShapesCommand(&s),
		newTokenCommand(&s),
		newSecretsCommand(),
		newReadyCommand(&s),
		newVersionCommand(),
	)
	return root
}
