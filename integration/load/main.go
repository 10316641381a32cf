// Command load measures a shapegate under many readers: how soon a change is with
// them, what they cost, and how soon a change of grants reaches them.
// Each figure stands beside one of something that decides nothing, from the same
// run, and what is quoted is the ratio.
//
// Without a URL it starts everything by itself. With one it measures the shapegate
// that is there. README.md says how, and what the figures mean.
//
// It is a check, too: it fails if a client received a row that its person may not
// see, or if a change never arrived. It never fails for slowness.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/integration/load/internal/grants"
	"github.com/shapegate/shapegate/integration/load/internal/readers"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand(os.Getenv).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		return 1
	}
	return 0
}

// newCommand returns the command, which without a subcommand is grants.
func newCommand(getenv func(string) string) *cobra.Command {
	c := grants.New(getenv)
	c.Use, c.Short = "load", "Measure a shapegate under many readers; without a command, as grants does"
	c.AddCommand(grants.New(getenv))
	c.AddCommand(readers.New(getenv)...)
	c.AddCommand(newChildCommands(getenv)...)
	return c
}
