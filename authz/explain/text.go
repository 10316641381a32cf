package explain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// String tells the explanation: a line that says what decides, and then all that was found
// out.
func (e *Explanation) String() string {
	t := teller{question: &e.Question}
	verb := "does not see"
	if e.Visible {
		verb = "sees"
	}
	t.line("%s %s the row %s of %s: %s.", e.Subject, verb, strings.Join(e.ID, ", "), e.Shape, e.because())
	t.line("")
	if e.Gate != nil {
		t.check("gate", "", e.Gate)
	}
	if e.Every != nil {
		t.check("unrestricted", "", e.Every)
	}
	for i := range e.Filters {
		t.filter(&e.Filters[i])
	}
	if e.Failure != "" {
		t.entry("lookup", e.Failure)
	}
	if !e.Grants {
		t.entry("row", e.Row.String())
	}
	if e.Revision != "" {
		t.entry("revision", e.Revision)
	}
	return t.text.String()
}

// because says in a few words what decides.
func (e *Explanation) because() string {
	switch e.Reason {
	case GateDenied:
		return "the gate does not hold, so that the " + e.noun() + " is answered 403"
	case Unevaluable:
		return "SpiceDB cannot evaluate a permission, so that the " + e.noun() + " is answered 403"
	case NoRow:
		return "there is no such row"
	}
	if e.Grants {
		return e.heldAndNot()
	}
	switch e.Reason {
	case ByGate:
		return "the gate holds, and the shape has no filter"
	case ByUnrestricted:
		return "who holds " + e.Every.name() + " sees every row"
	case ByFilter:
		return e.decisive().name() + " holds"
	case WhereNotMet:
		return "the row does not meet the shape's where"
	case ColumnNull:
		return "the filter's column is NULL, which is never visible"
	case NoObject:
		return "the filter's column has no object id"
	case Excluded:
		return e.decisive().name() + " excludes " + e.Subject
	case ContextMissing:
		return "a caveat lacks context"
	case ConditionFalse:
		return "a caveat is false"
	default:
		return e.decisive().name() + " does not hold"
	}
}

// heldAndNot names the permissions of a collection of grants, and says which are held.
func (e *Explanation) heldAndNot() string {
	var all []string
	for _, f := range e.Filters {
		if f.Check != nil && f.Check.Held {
			all = append(all, f.Column+" holds")
		} else {
			all = append(all, f.Column+" does not hold")
		}
	}
	return strings.Join(all, ", ")
}

// noun is what is asked about.
func (q *Question) noun() string {
	if q.Grants {
		return "collection"
	}
	return "shape"
}

// decisive is the check of the filter that decides.
func (e *Explanation) decisive() *Check {
	for i := range e.Filters {
		if f := &e.Filters[i]; f.Check != nil && f.reason() == e.Reason {
			return f.Check
		}
	}
	return &Check{}
}

// name returns the permission on its object, as document:d1#view.
func (c *Check) name() string { return c.Object + "#" + c.Permission }

// String says what is known of the row.
func (r Row) String() string {
	switch {
	case !r.Exists:
		return "does not exist"
	case r.Where == "":
		return "exists"
	case r.MeetsWhere:
		return "exists, and meets the shape's where: " + r.Where
	}
	return "exists, and does not meet the shape's where: " + r.Where
}

// String returns the path with arrows.
func (p Path) String() string { return strings.Join(p, " → ") }

// teller writes entries, each with a name in a column of its own.
type teller struct {
	question *Question
	text     strings.Builder
}

func (t *teller) line(format string, args ...any) { fmt.Fprintf(&t.text, format+"\n", args...) }

func (t *teller) entry(name, text string) { t.line("  %-13s %s", name, text) }

// more adds to the entry before.
func (t *teller) more(text string) { t.entry("", text) }

func (t *teller) filter(f *Filter) {
	switch {
	case t.question.Grants && f.Check != nil:
		t.check("permission", "", f.Check)
	case t.question.Grants:
		t.entry("permission", f.Column+": "+f.Reason)
	case f.Check != nil:
		t.check("filter", f.Column+" = "+*f.Value+": ", f.Check)
	case f.Value != nil:
		t.entry("filter", f.Column+" = "+*f.Value+": "+f.Reason)
	default:
		t.entry("filter", f.Column+": "+f.Reason)
	}
}

func (t *teller) check(name, intro string, c *Check) {
	switch {
	case c.Failure != "":
		t.entry(name, intro+c.name()+" cannot be evaluated: "+c.Failure)
		return
	case c.Held:
		t.entry(name, intro+c.name()+" holds")
		for _, p := range c.Paths {
			t.more(p.String())
		}
		return
	}
	t.entry(name, intro+c.name()+" does not hold")
	if name != "unrestricted" || c.denial() != NotGranted { // most people are not
		t.denial(c)
	}
	for _, name := range c.IgnoredContext {
		t.more("the context's " + t.source(name) + " was left out: no caveat can take its value")
	}
}

// denial tells why a permission is not held.
func (t *teller) denial(c *Check) {
	if c.Expression != "" {
		t.more(c.Permission + " = " + c.Expression)
	}
	for _, p := range c.ExcludedBy {
		t.more("excluded by " + p.String())
	}
	for _, p := range c.Paths {
		t.more("without the exclusion: " + p.String())
	}
	for _, on := range c.Caveats {
		t.caveat(on)
	}
	if len(c.Tried) > 0 {
		t.more("no relationship leads to " + t.question.Subject + " in " + few(c.Tried))
	}
}

// mostTried is how many relations are named in the text.
const mostTried = 12

func few(names []string) string {
	if left := len(names) - mostTried; left > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostTried], ", "), left)
	}
	return strings.Join(names, ", ")
}

func (t *teller) caveat(on CaveatOn) {
	c := on.Caveat
	text := fmt.Sprintf("the caveat %s (%s)", c.Name, c.Expression)
	if c.Name == "" {
		text = fmt.Sprintf("the caveats (%s)", c.Expression)
	}
	if c.Result == CaveatMissing {
		var missing []string
		for _, name := range c.Missing {
			missing = append(missing, t.source(name))
		}
		text += " lacks " + strings.Join(missing, ", ")
	} else {
		text += " is " + string(c.Result)
	}
	if len(c.Context) > 0 {
		text += ", with " + spellContext(c.Context)
	}
	t.more(on.Path.String())
	t.more("  " + text)
}

// source names a parameter, and says where the shape takes it from.
func (t *teller) source(name string) string {
	if from, ok := t.question.Context[name]; ok {
		return name + " (the " + t.question.noun() + " takes it from " + from + ")"
	}
	if t.question.Grants {
		return name + " (the collection's context does not have it)"
	}
	return name + " (the shape's authorize.context does not have it)"
}

func spellContext(values map[string]any) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text, err := json.Marshal(values[name])
		if err != nil {
			text = []byte("?")
		}
		all = append(all, name+" = "+string(text))
	}
	return strings.Join(all, ", ")
}
