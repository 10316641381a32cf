package explain

import (
	"fmt"
	"strings"
	"time"
)

// Access is what somebody may sync of a shape. Its form in JSON is stable, as that of an
// Explanation.
type Access struct {
	Shape        string        `json:"shape"`
	Rows         Rows          `json:"rows"`
	Needs        []string      `json:"needs"`        // params that have no value
	Gate         string        `json:"gate"`         // as workspace:main#sync; empty: there is none
	Unrestricted string        `json:"unrestricted"` // as the gate
	Filters      []AccessByIDs `json:"filters"`      // those that were looked up
	Failure      string        `json:"failure"`      // which permission cannot be evaluated, and why
	Notes        []string      `json:"notes"`        // what follows, and what to do
}

// Rows says which rows somebody may sync.
type Rows string

// Which rows they may be.
const (
	NoRows      Rows = "none"         // the gate does not hold: 403
	EveryRow    Rows = "every"        // there is no filter, or unrestricted holds
	SomeRows    Rows = "some"         // those that a filter reaches
	UnknownRows Rows = "unknown"      // a param has no value
	FailedRows  Rows = "unanswerable" // SpiceDB cannot evaluate a permission: 403
)

// AccessByIDs is the ids that somebody holds for one filter.
type AccessByIDs struct {
	Permission string  `json:"permission"` // as document#view
	Column     string  `json:"column"`
	IDs        int     `json:"ids"`
	Seconds    float64 `json:"seconds"`  // how long SpiceDB took to look them up
	Requests   int     `json:"requests"` // how many requests to Electric carry them
}

const (
	// manyIDs is a set that makes work: for SpiceDB at each lookup, for Electric at each
	// first read.
	manyIDs = 10_000
	// longLookup is a lookup that readers notice.
	longLookup = time.Second
)

// Note fills in what follows from the rest.
func (a *Access) Note() {
	a.Notes = []string{}
	note := func(format string, args ...any) { a.Notes = append(a.Notes, fmt.Sprintf(format, args...)) }
	const scope = "give readers a shape that is scoped by a param: a gate on the container, and no filter"
	for _, f := range a.Filters {
		switch {
		case f.Requests > 1:
			note("the ids of %s are more than one request to Electric carries (8 MB, about 200,000 UUIDs): a first read takes %d requests, and a subset with an order or a limit is answered 422; %s", f.Permission, f.Requests, scope)
		case f.IDs >= manyIDs:
			note("the set of %s is large: each lookup and each first read takes its time; %s", f.Permission, scope)
		case f.Seconds >= longLookup.Seconds():
			note("the lookup of %s takes long for what it finds: look for deep groups and long chains of parents, or %s", f.Permission, scope)
		}
	}
	if len(a.Needs) > 0 {
		note("give --param %s=…", strings.Join(a.Needs, "=… --param "))
	}
}

// String tells what somebody may sync, in a few lines.
func (a *Access) String() string {
	t := teller{}
	t.line("%s: %s", a.Shape, a.summary())
	if a.Gate != "" && a.Rows != UnknownRows && a.Rows != FailedRows {
		t.entry("gate", a.Gate+holds(a.Rows != NoRows))
	}
	if a.Unrestricted != "" && (a.Rows == EveryRow || a.Rows == SomeRows) {
		t.entry("unrestricted", a.Unrestricted+holds(a.Rows == EveryRow))
	}
	for _, f := range a.Filters {
		t.entry("filter", fmt.Sprintf("%s → %s: %s, looked up in %s", f.Permission, f.Column, spellIDs(f.IDs), spellSeconds(f.Seconds)))
	}
	for _, n := range a.Notes {
		t.entry("note", n)
	}
	return t.text.String()
}

func holds(held bool) string {
	if held {
		return " holds"
	}
	return " does not hold"
}

func (a *Access) summary() string {
	switch a.Rows {
	case NoRows:
		return "nothing: it is answered 403"
	case EveryRow:
		return "every row"
	case UnknownRows:
		return "not known without its params"
	case FailedRows:
		return "SpiceDB cannot evaluate a permission, so that it is answered 403: " + a.Failure
	}
	total := 0
	for _, f := range a.Filters {
		total += f.IDs
	}
	if total == 0 {
		return "no rows"
	}
	return "the rows of " + spellIDs(total)
}

func spellIDs(n int) string {
	if n == 1 {
		return "1 id"
	}
	return fmt.Sprintf("%d ids", n)
}

func spellSeconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond / 10).String()
}
