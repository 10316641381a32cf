package explain

import "slices"

// Explanation says whether somebody sees a row of a shape, and why. Its form in JSON is
// stable: keys are added, and none is taken away or given another meaning.
//
// A row of a collection of grants is explained in the same form. It has a filter for each
// permission, whose column is the permission's name and whose value is the object's id. The
// row is visible if any of them holds.
type Explanation struct {
	Question
	Visible  bool     `json:"visible"`
	Reason   Reason   `json:"reason"`
	Gate     *Check   `json:"gate"`         // null: the shape has none
	Every    *Check   `json:"unrestricted"` // null: the shape has none
	Filters  []Filter `json:"filters"`
	Failure  string   `json:"failure"` // which permission SpiceDB cannot look up for the person, and why; empty: none
	Row      Row      `json:"row"`
	Revision string   `json:"revision"` // the ZedToken at which SpiceDB was asked; empty: there was nothing to ask
}

// Question is what is to be explained.
type Question struct {
	Subject string            `json:"subject"`
	Shape   string            `json:"shape"`
	Grants  bool              `json:"grants"` // Shape is the name of a collection of grants
	ID      []string          `json:"id"`     // the values of the primary key
	Params  map[string]string `json:"params"`

	// Context says for each parameter of a caveat where the shape takes it from, as in
	// claims.clearance.
	Context map[string]string `json:"context"`
}

// Row is what is known of the row, apart from permissions.
type Row struct {
	Exists     bool   `json:"exists"`      // of a collection of grants: the column id can hold the id
	MeetsWhere bool   `json:"meets_where"` // false if the row does not exist
	Where      string `json:"where"`       // the shape's; empty: it has none
}

// Filter is one entry of a shape's filter, with the object that the row has in its column.
type Filter struct {
	Column string  `json:"column"`
	Value  *string `json:"value"`  // null: it is NULL, or there is no such row
	Check  *Check  `json:"check"`  // null: there is no object to ask about
	Reason string  `json:"reason"` // why there is none
}

// Reason is the one thing that decides.
type Reason string

// The reasons for which a row is visible, and those for which it is not.
const (
	ByGate         Reason = "gate"         // the shape has no filter: whoever passes the gate sees every row
	ByUnrestricted Reason = "unrestricted" // the person sees every row
	ByFilter       Reason = "filter"       // a filter reaches the row

	GateDenied     Reason = "gate_denied"     // the answer is 403
	Unevaluable    Reason = "unanswerable"    // SpiceDB cannot evaluate a permission: the answer is 403
	NoRow          Reason = "no_row"          // the row does not exist
	WhereNotMet    Reason = "where_not_met"   // the row does not meet the shape's where
	ColumnNull     Reason = "column_null"     // the filter's column is NULL, which is never visible
	NoObject       Reason = "no_object"       // the column's value is no object id
	Excluded       Reason = "excluded"        // what is granted is taken away by an exclusion
	ContextMissing Reason = "context_missing" // a caveat lacks context
	ConditionFalse Reason = "caveat_false"    // a caveat is false
	NotGranted     Reason = "not_granted"     // no path of relationships leads to the person
)

// Conclude fills in whether the row is visible, and the reason, from the rest: as the proxy
// decides it.
func (e *Explanation) Conclude() {
	e.Reason = e.reason()
	switch e.Reason {
	case ByGate, ByUnrestricted, ByFilter:
		e.Visible = true
	default:
		e.Visible = false
	}
}

func (e *Explanation) reason() Reason {
	switch {
	case e.Gate != nil && e.Gate.Failure != "":
		return Unevaluable
	case e.Gate != nil && !e.Gate.Held:
		return GateDenied
	case e.Failure != "":
		return Unevaluable
	case !e.Row.Exists:
		return NoRow
	case !e.Row.MeetsWhere:
		return WhereNotMet
	case len(e.Filters) == 0:
		return ByGate
	case e.Every != nil && e.Every.Held:
		return ByUnrestricted
	}
	reason := e.Filters[0].reason()
	for i := range e.Filters[1:] {
		if r := e.Filters[i+1].reason(); rank(r) < rank(reason) {
			reason = r
		}
	}
	return reason
}

// reason is what one filter alone says.
func (f *Filter) reason() Reason {
	switch {
	case f.Check == nil && f.Value == nil:
		return ColumnNull
	case f.Check == nil:
		return NoObject
	case f.Check.Failure != "":
		return Unevaluable
	case f.Check.Held:
		return ByFilter
	}
	return f.Check.denial()
}

// denial is why a permission is not held.
func (c *Check) denial() Reason {
	of := func(result CaveatResult) bool {
		return slices.ContainsFunc(c.Caveats, func(on CaveatOn) bool { return on.Caveat.Result == result })
	}
	switch {
	case len(c.ExcludedBy) > 0:
		return Excluded
	case of(CaveatMissing):
		return ContextMissing
	case of(CaveatFalse):
		return ConditionFalse
	}
	return NotGranted
}

// rank orders what filters say: that which decides first. A filter that cannot be evaluated
// fails the whole request.
func rank(r Reason) int {
	return slices.Index([]Reason{Unevaluable, ByFilter, Excluded, ContextMissing, ConditionFalse, NotGranted, NoObject, ColumnNull}, r)
}
