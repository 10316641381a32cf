package readers

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// measurement is one of the commands.
type measurement interface {
	use() (name, short string)
	bind(flags *pflag.FlagSet)
	complete(getenv func(string) string) error
	measure(ctx context.Context, log io.Writer) (*report, error)
	within() (limit *options)
}

// measurements makes each of them anew, in the order in which all does them.
func measurements() []measurement {
	return []measurement{&fanout{}, &invisible{}, &selective{}, &memory{}, &catchup{}, &firstsync{}}
}

// New returns the commands.
func New(getenv func(string) string) []*cobra.Command {
	var all []*cobra.Command
	for _, m := range append(measurements(), &created{}, &permissions{}, &residue{}) {
		name, short := m.use()
		c := command(name, short, func(c *cobra.Command) error {
			r, err := run(c.Context(), m, getenv, c.ErrOrStderr())
			if err != nil {
				return err
			}
			r.print(c.OutOrStdout())
			return r.verdict()
		})
		m.bind(c.Flags())
		all = append(all, c)
	}
	return append(all, newAll(getenv), newGrowth(getenv))
}

func command(name, short string, do func(*cobra.Command) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		SilenceErrors: true, // main prints them
		SilenceUsage:  true,
		RunE:          func(c *cobra.Command, _ []string) error { return do(c) },
	}
}

// run does one measurement, within its limit.
func run(ctx context.Context, m measurement, getenv func(string) string, log io.Writer) (*report, error) {
	if err := m.complete(getenv); err != nil {
		return nil, err
	}
	limit := m.within().limit
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done after %v", limit))
	defer cancel()
	return m.measure(ctx, &sharedLog{w: log})
}
