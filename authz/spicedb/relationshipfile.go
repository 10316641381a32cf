package spicedb

import (
	"errors"
	"fmt"
	"strings"
)

// Line is a relationship, and the number of the line that it stands in, from 1.
type Line struct {
	Relationship
	Number int
}

// ParseLines reads relationships, one a line. Empty lines are skipped, and those that begin
// with // or #. The error joins one for each line that is no relationship, which says
// name:number: what is wrong with it.
func ParseLines(name, text string) ([]Line, error) {
	var lines []Line
	var errs []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := parseRelationship(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %q is no relationship, as in document:1#viewer@user:alice: %w", name, number, line, err))
			continue
		}
		lines = append(lines, Line{r, number})
	}
	return lines, errors.Join(errs...)
}
