package readers

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/quantile"
)

// report is what one measurement found.
type report struct {
	title   string
	figures []figure
	notes   []string
	wrongs  []string // what must not be, however slow anything is
}

// figure is one measured value beside the one it is compared with.
type figure struct {
	name      string
	got, base string
	ratio     float64 // 0: there is none
	aim       string
	missed    bool
	unknown   bool // whether it is missed
}

func (r *report) add(f figure) { r.figures = append(r.figures, f) }

func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *report) wrong(format string, args ...any) {
	r.wrongs = append(r.wrongs, fmt.Sprintf(format, args...))
}

// print prints a table.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s\n\n", r.title)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tmeasured\tbaseline\tratio\taim")
	for _, f := range r.figures {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.name, f.got, f.base, f.ratioText(), f.aimText())
	}
	_ = t.Flush() // as with all that is printed
	for _, text := range r.notes {
		fmt.Fprintln(out, text)
	}
	for _, text := range r.wrongs {
		fmt.Fprintln(out, "WRONG:", text)
	}
}

func (f *figure) ratioText() string {
	if f.ratio == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", f.ratio)
}

func (f *figure) aimText() string {
	switch {
	case f.aim == "":
		return ""
	case f.unknown:
		return f.aim + ", not known"
	case f.missed:
		return f.aim + ", missed"
	default:
		return f.aim + ", met"
	}
}

// verdict is an error if anything was wrong. Slowness is not.
func (r *report) verdict() error {
	var errs []error
	for _, text := range r.wrongs {
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}

// ratio is how many times as much a is as b; 0 if there is no b.
func ratio[T time.Duration | float64](a, b T) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// most is a figure with the largest ratio that is aimed at.
func (f figure) most(limit float64) figure {
	f.aim, f.missed, f.unknown = fmt.Sprintf("<= %g", limit), f.ratio > limit, f.ratio <= 0
	return f
}

// quantiles is a figure for each of the quantiles of some durations against those
// of others. The base is empty where there is nothing to compare with.
func quantiles(name, base string, got, with quantile.Quantiles) []figure {
	line := func(which string, a, b time.Duration) figure {
		f := figure{name: name + ", " + which, got: milliseconds(a)}
		if base != "" {
			f.base, f.ratio = base+" "+milliseconds(b), ratio(a, b)
		}
		return f
	}
	return []figure{line("p50", got.P50, with.P50), line("p99", got.P99, with.P99), line("max", got.Most, with.Most)}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", quantile.Milliseconds(d)) }
