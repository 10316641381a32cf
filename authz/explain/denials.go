package explain

import "slices"

// denials finds out why a trace does not hold, and notes it in a check.
type denials struct {
	grants
	check *Check
}

// of notes why a trace, which does not hold, does not. above is the path that leads to its
// object, and ends with it.
func (d denials) of(t *Trace, above Path) {
	if e, ok := d.expression(t); ok {
		// The caveat is that of a relationship which an arrow went along.
		if t.Caveat != nil && d.outcome(t, &e) == Held {
			d.caveat(below(above, d.grants.in(t, &e)), t.Caveat)
			return
		}
		d.in(t, &e, above)
		return
	}
	switch held := firstHeld(t); {
	case t.Caveat != nil && held != nil:
		d.caveat(below(above, d.through(t, held)), t.Caveat)
		return
	case t.Caveat != nil && !isBelow(t):
		d.caveat(below(above, []Path{direct(t)}), t.Caveat)
		return
	}
	d.check.Tried = append(d.check.Tried, t.Object.String()+"#"+t.Name)
	for _, part := range t.sorted() {
		d.of(&part, slices.Concat(above, set(t, &part)))
	}
}

func (d denials) caveat(paths []Path, c *Caveat) {
	for _, p := range paths {
		d.check.Caveats = append(d.check.Caveats, CaveatOn{Path: p, Caveat: *c})
	}
}

// in notes why an expression does not hold.
func (d denials) in(t *Trace, e *expression, above Path) {
	switch e.operator {
	case operatorUnion:
		d.in(t, &e.operands[0], above)
		d.in(t, &e.operands[1], above)
		return
	case operatorIntersection:
		for i := range e.operands {
			if d.outcome(t, &e.operands[i]) != Held {
				d.in(t, &e.operands[i], above)
			}
		}
		return
	case operatorExclusion:
		d.exclusion(t, e, above)
		return
	}
	for _, part := range d.parts(t, e) {
		if part.Outcome != Held {
			d.of(&part, slices.Concat(above, d.step(t, &part)))
		}
	}
}

// exclusion notes that what is held is taken away by what is excluded, or why nothing is
// held that could be taken away.
func (d denials) exclusion(t *Trace, e *expression, above Path) {
	left, right := &e.operands[0], &e.operands[1]
	if d.outcome(t, left) != Held {
		d.in(t, left, above)
		return
	}
	d.check.Paths = append(d.check.Paths, below(above, d.grants.in(t, left))...)
	if d.outcome(t, right) == Held {
		d.check.ExcludedBy = append(d.check.ExcludedBy, below(above, d.grants.in(t, right))...)
		return
	}
	d.in(t, right, above) // it lacks context: whether it is excluded is not known
}
