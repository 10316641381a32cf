package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/cmd/internal/plural"
	"github.com/shapegate/shapegate/schema"
)

// report is what check-config finds out, one part after the other: a part that fails does
// not keep the others from being checked.
type report struct {
	cmd       *cobra.Command
	isWrong   bool
	failures  []error  // parts that gave no answer
	unchecked []string // parts that were left out, each with the reason
}

// wrong prints findings, each on a line that begins with its place, so that editors can
// follow it.
func (r *report) wrong(findings ...error) {
	for _, f := range findings {
		r.cmd.PrintErrln(f)
		r.isWrong = true
	}
}

// hint prints what would work better otherwise.
func (r *report) hint(text string) { r.cmd.PrintErrln("hint:", text) }

// failed keeps that a part gave no answer.
func (r *report) failed(err error) { r.failures = append(r.failures, err) }

func (r *report) leftOut(part string) { r.unchecked = append(r.unchecked, part) }

// end prints the outcome. What is wrong comes before what could not be found out.
func (r *report) end(shapes schema.File) error {
	if !r.isWrong && len(r.failures) == 0 {
		what := plural.Count(len(shapes.Shapes), "shape")
		if n := len(shapes.Grants); n > 0 {
			what += ", " + plural.Count(n, "collection") + " of grants"
		}
		r.cmd.Println("ok:", what)
	}
	if len(r.unchecked) > 0 {
		r.cmd.Println("not checked:", strings.Join(r.unchecked, ", "))
	}
	if !r.isWrong && len(r.failures) == 0 {
		return nil
	}
	exit := &exitError{code: exitNoAnswer, cause: errors.Join(r.failures...)}
	if r.isWrong {
		exit.code = exitNo
	}
	return exit
}
