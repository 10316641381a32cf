// Package grants measures how soon a change of a person's grants reaches the
// clients that are waiting: how long after a relationship was written the rows
// appear or disappear, for many people at once, and what it costs at SpiceDB. The
// same run measures how long a change of a row takes, for comparison.
//
// Without a URL it starts everything in this process: the SpiceDB engine, the
// stand-in for Electric and the proxy.
package grants

import "github.com/spf13/cobra"

// New returns the command.
func New(getenv func(string) string) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:           "grants",
		Short:         "Measure how soon changed grants reach waiting clients",
		Args:          cobra.NoArgs,
		SilenceErrors: true, // main prints them
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.complete(getenv); err != nil {
				return err
			}
			report, err := measure(c.Context(), &o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			report.print(c.OutOrStdout())
			return report.verdict()
		},
	}
	o.bind(c.Flags())
	return c
}
