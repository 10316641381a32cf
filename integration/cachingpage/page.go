// Package cachingpage reads the tables of proxy/CACHING.md, so that tests can hold each
// answer to them. It is for tests: what the page says is no configuration.
package cachingpage

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Table is one of the page's: a row for answers with the same headers.
type Table struct {
	columns []string // the names of the headers, behind path, method and status
	rows    []row
}

type row struct {
	paths, methods, statuses []string
	headers                  []string // empty: the answer has none of this name
}

// other stands in a row for the paths or methods that no row names.
const other = "any other"

// Load reads the first table behind a heading of the page.
func Load(file, heading string) (*Table, error) {
	text, err := os.ReadFile(file) //nolint:gosec // a file of the repository
	if err != nil {
		return nil, err
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		return nil, fmt.Errorf("%s has no heading %s", file, heading)
	}
	t := &Table{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			if t.columns != nil {
				return t, nil
			}
		case strings.HasPrefix(line, "| ---"):
		case t.columns == nil:
			t.columns = quoted(cells[3:])
		default:
			if len(cells) != len(t.columns)+3 {
				return nil, fmt.Errorf("%s: %s has %d cells", file, line, len(cells))
			}
			t.rows = append(t.rows, row{list(cells[0]), list(cells[1]), list(cells[2]), quoted(cells[3:])})
		}
	}
	return t, nil
}

var word = regexp.MustCompile("[^`, ]+")

// list reads `GET`, `HEAD` or 200, 404.
func list(cell string) []string {
	if strings.Contains(cell, other) {
		return []string{other}
	}
	return word.FindAllString(cell, -1)
}

// quoted reads what stands between backquotes in each cell.
func quoted(cells []string) (values []string) {
	for _, cell := range cells {
		_, rest, _ := strings.Cut(cell, "`")
		value, _, _ := strings.Cut(rest, "`")
		values = append(values, value)
	}
	return values
}

// Answers lists the answers that the rows name, as "GET /v1/shape 200".
func (t *Table) Answers() (all []string) {
	for _, r := range t.rows {
		for _, path := range r.paths {
			for _, method := range r.methods {
				for _, status := range r.statuses {
					if path != other && method != other {
						all = append(all, method+" "+path+" "+status)
					}
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// elsewhere are headers with which an answer could speak to a cache, too. None has them.
var elsewhere = []string{
	"Age", "CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Expires", "Last-Modified", "Pragma",
	"Surrogate-Control", "Surrogate-Key", "Cache-Tag", "X-Accel-Expires",
}

// Check reports what an answer's headers have of caching that the page has not. An answer of
// a path or method that no row names is that of any other.
func (t *Table) Check(answer string, h http.Header) error {
	r, err := t.find(answer)
	if err != nil {
		return err
	}
	var all []error
	for i, name := range t.columns {
		if got := strings.Join(h.Values(name), ", "); got != r.headers[i] {
			all = append(all, fmt.Errorf("%s: %s: %q, and the page has %q", answer, name, got, r.headers[i]))
		}
	}
	for _, name := range elsewhere {
		if got := h.Get(name); got != "" {
			all = append(all, fmt.Errorf("%s: %s: %q", answer, name, got))
		}
	}
	return errors.Join(all...)
}

func (t *Table) find(answer string) (row, error) {
	words := strings.Fields(answer)
	if len(words) < 3 {
		return row{}, fmt.Errorf("%q is no method, path and status", answer)
	}
	known := false
	for _, r := range t.rows {
		named := slices.Contains(r.methods, words[0]) && slices.Contains(r.paths, words[1])
		if known = known || named; named && slices.Contains(r.statuses, words[2]) {
			return r, nil
		}
	}
	if known {
		return row{}, fmt.Errorf("the page does not have %s", answer)
	}
	for _, r := range t.rows {
		if slices.Contains(r.paths, other) && slices.Contains(r.statuses, words[2]) {
			return r, nil
		}
	}
	return row{}, fmt.Errorf("the page does not have %s", answer)
}
