package readers

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// newAll returns the command that does all measurements, one after the other.
func newAll(getenv func(string) string) *cobra.Command {
	c := command("all", "Do all of these, one after the other, and print one report", func(c *cobra.Command) error {
		var reports []*report
		var errs []error
		for _, m := range measurements() {
			r, err := derive(c, m, getenv)
			if err != nil {
				name, _ := m.use()
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				continue
			}
			reports = append(reports, r)
			errs = append(errs, r.verdict())
		}
		for _, r := range reports {
			r.print(c.OutOrStdout())
		}
		return errors.Join(errs...)
	})
	c.Long = "Do all measurements, one after the other, and print one report. A flag is for all that have it; where their defaults differ, each keeps its own."
	for _, m := range measurements() {
		flags, err := flagsOf(m)
		if err != nil {
			panic(err) // there were no arguments
		}
		c.Flags().AddFlagSet(flags) // the first of a name stays
	}
	return c
}

// derive does a measurement with args and the flags of another command.
func derive(c *cobra.Command, m measurement, getenv func(string) string, args ...string) (*report, error) {
	flags, err := flagsOf(m, args...)
	if err != nil {
		return nil, err
	}
	if err := forward(c.Flags(), flags); err != nil {
		return nil, err
	}
	return run(c.Context(), m, getenv, c.ErrOrStderr())
}
