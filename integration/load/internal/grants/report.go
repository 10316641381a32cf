package grants

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/metrics"
	"github.com/shapegate/shapegate/integration/load/internal/quantile"
)

// report is what was measured, and what was wrong.
type report struct {
	what    string
	clients int
	events  bool
	took    time.Duration
	lines   []line
	counts  metrics.Values

	refetches   int
	failures    int // requests that got no answer
	lastFailure error
	leaks       []string // rows that were received and not granted
	astray      []string // people whose clients end with other rows than they may see
}

func (r *report) print(out io.Writer) {
	how := "long-polls"
	if r.events {
		how = "event streams"
	}
	fmt.Fprintf(out, "%d clients in %s; %s; %v\n\n", r.clients, how, r.what, r.took.Round(time.Second))
	fmt.Fprintf(out, "%31s %35s %35s %15s\n", "", "ms from the write's return", "ms from its call", "x row change")
	const head, row = "%-22s %-8s %7s %35s %35s %15s %5s\n", "%-22s %-8s %7d %s %s %s %5d\n"
	quantile := fmt.Sprintf("%8s %8s %8s %8s", "p50", "p95", "p99", "max")
	fmt.Fprintf(out, head, "", "", "samples", quantile, quantile, fmt.Sprintf("%7s %7s", "p50", "p95"), "lost")
	for _, n := range r.lines {
		fmt.Fprintf(out, row, n.scenario, n.mode, n.samples, columns(n.end), columns(n.start), r.ratio(&n), n.lost)
	}
	if r.counts.Known {
		r.printCalls(out)
	}
	fmt.Fprintf(out, "\nmust-refetch: %d; requests that failed: %d", r.refetches, r.failures)
	if r.lastFailure != nil {
		fmt.Fprintf(out, " (the last: %v)", r.lastFailure)
	}
	fmt.Fprintf(out, "; rows not granted: %d; clients with wrong rows: %d\n", len(r.leaks), len(r.astray))
}

// printCalls prints what each change cost at SpiceDB.
func (r *report) printCalls(out io.Writer) {
	fmt.Fprintf(out, "\nThe proxy's calls to SpiceDB, per change:\n")
	for _, n := range r.lines {
		var calls []string
		for _, method := range slices.Sorted(maps.Keys(n.counts.Calls)) {
			calls = append(calls, fmt.Sprintf("%s %.2f", method, n.counts.Calls[method]/float64(n.samples)))
		}
		fmt.Fprintf(out, "  %s, %s: %s; CPU %.1f ms\n", n.scenario, n.mode, strings.Join(calls, ", "), 1000*n.counts.CPU/float64(n.samples))
	}
	fmt.Fprintf(out, "\nCPU of the proxy's process: %.1f s\n", r.counts.CPU)
}

// columns is the quantiles in milliseconds.
func columns(q quantile.Quantiles) string {
	ms := quantile.Milliseconds
	return fmt.Sprintf("%8.1f %8.1f %8.1f %8.1f", ms(q.P50), ms(q.P95), ms(q.P99), ms(q.Most))
}

// ratio is how many times as long a line's changes took as a row's in the same
// mode: the half, and 95 of 100.
func (r *report) ratio(n *line) string {
	for _, base := range r.lines {
		if base.scenario == baseline && base.mode == n.mode && base.end.P50 > 0 && base.end.P95 > 0 {
			return fmt.Sprintf("%7.2f %7.2f", float64(n.end.P50)/float64(base.end.P50), float64(n.end.P95)/float64(base.end.P95))
		}
	}
	return fmt.Sprintf("%7s %7s", "-", "-")
}

// verdict is an error if anything was not as promised.
func (r *report) verdict() error {
	var errs []error
	if len(r.leaks) > 0 {
		errs = append(errs, fmt.Errorf("rows were received that were not granted:\n%s", some(r.leaks)))
	}
	if len(r.astray) > 0 {
		errs = append(errs, fmt.Errorf("clients have other rows than they may see:\n%s", some(r.astray)))
	}
	lost := 0
	for _, n := range r.lines {
		lost += n.lost
	}
	if lost > 0 {
		errs = append(errs, fmt.Errorf("%d changes did not arrive", lost))
	}
	return errors.Join(errs...)
}

// some is the first of many lines.
func some(lines []string) string {
	const most = 20
	if len(lines) > most {
		lines = append(slices.Clone(lines[:most]), fmt.Sprintf("and %d more", len(lines)-most))
	}
	return strings.Join(lines, "\n")
}
