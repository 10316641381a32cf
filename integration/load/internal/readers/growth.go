package readers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// growth measures the same again with ten and a hundred times as many people, ids
// and rows.
type growth struct {
	clients, people, ids, rows, samples int
	during                              time.Duration
	times                               []int
}

// step is one measurement, at one size of what grows.
type step struct {
	what string
	make func() measurement
	args []string
}

func newGrowth(getenv func(string) string) *cobra.Command {
	var g growth
	var shared options
	c := command("growth", "Measure the same with ten and a hundred times as many people, ids and rows", func(c *cobra.Command) error {
		if err := atLeast(1, sizes{"clients": g.clients, "base-people": g.people, "base-ids": g.ids, "base-rows": g.rows, "samples": g.samples}); err != nil {
			return err
		}
		return g.run(c, getenv)
	})
	shared.bind(c.Flags())
	f := c.Flags()
	f.IntVar(&g.clients, "clients", 1000, "clients that wait")
	f.IntVar(&g.people, "base-people", 10, "people, once")
	f.IntVar(&g.ids, "base-ids", 10, "ids that each person holds, once")
	f.IntVar(&g.rows, "base-rows", 100, "rows, once: those of a first read, and ten times as many that nobody may see")
	f.IntVar(&g.samples, "samples", 10, "changes, or reads")
	f.DurationVar(&g.during, "for", 5*time.Second, "how long changes or reads go on")
	f.IntSliceVar(&g.times, "times", []int{1, 10, 100}, "how many times as many")
	return c
}

// steps lists what is measured, in order.
func (g *growth) steps() []step {
	var all []step
	fan := func() measurement { return &fanout{} }
	hidden := func() measurement { return &invisible{} }
	caught := func() measurement { return &catchup{} }
	first := func() measurement { return &firstsync{} }
	add := func(what string, make func() measurement, format string, args ...any) {
		all = append(all, step{what, make, strings.Fields(fmt.Sprintf(format, args...))})
	}
	for _, n := range g.times {
		what := fmt.Sprintf("people x%d", n)
		add(what, fan, "--clients %d --people %d --samples %d", g.clients, n*g.people, g.samples)
		add(what, hidden, "--clients %d --people %d --for %v", g.clients, n*g.people, g.during)
	}
	for _, n := range g.times {
		what := fmt.Sprintf("ids x%d", n)
		add(what, fan, "--clients %d --people %d --ids %d --samples %d", g.clients, g.people, n*g.ids, g.samples)
		add(what, caught, "--people %d --ids %d --for %v", g.people, n*g.ids, g.during)
	}
	for _, n := range g.times {
		what := fmt.Sprintf("rows x%d", n)
		add(what, first, "--rows %d --samples %d", n*g.rows, g.samples)
		add(what, caught, "--people %d --withheld %d --for %v", g.people, 10*n*g.rows, g.during)
		add(what, hidden, "--clients %d --people %d --withheld %d --for %v", g.clients, g.people, 10*n*g.rows, g.during)
	}
	return all
}

// run does the steps, and prints a table in Markdown of what there are aims for.
func (g *growth) run(c *cobra.Command, getenv func(string) string) error {
	var errs []error
	var lines []string
	for _, s := range g.steps() {
		m := s.make()
		name, _ := m.use()
		line := name + " " + strings.Join(s.args, " ")
		r, err := derive(c, m, getenv, s.args...)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", line, err))
			continue
		}
		errs = append(errs, r.verdict())
		for _, f := range r.figures {
			if f.aim != "" {
				lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s | %s | `go run ./integration/load %s` |", s.what, f.name, f.got, f.base, f.ratioText(), line))
			}
		}
	}
	out := c.OutOrStdout()
	fmt.Fprintln(out, "\n| | | measured | baseline | ratio | command |\n| --- | --- | --- | --- | --- | --- |")
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
	return errors.Join(errs...)
}
