package explain

import (
	"slices"
	"strings"

	"github.com/shapegate/shapegate/authz"
)

// grants finds the paths of relationships by which a trace holds.
type grants struct{ schema Schema }

// of returns the paths that a trace, which holds, rests on. Each begins after its object.
func (g grants) of(t *Trace) []Path {
	if e, ok := g.expression(t); ok {
		return g.in(t, &e)
	}
	if t.Grantee == "" {
		if part := firstHeld(t); part != nil {
			return g.through(t, part)
		}
	}
	return []Path{direct(t)}
}

// firstHeld returns a part that holds, or nil.
func firstHeld(t *Trace) *Trace {
	for _, part := range t.sorted() {
		if part.Outcome == Held {
			return &part
		}
	}
	return nil
}

// expression returns the expression of the permission that was looked at. It returns false
// for a relation, and for an expression that cannot be read.
func (g grants) expression(t *Trace) (expression, bool) {
	text, ok := g.schema[authz.Relation{Definition: t.Object.Type, Name: t.Name}]
	if !ok {
		return expression{}, false
	}
	return parseExpression(text)
}

// direct is the path of a relationship that names the subject itself.
func direct(t *Trace) Path {
	if t.Grantee == "" {
		return Path{t.Name}
	}
	return Path{t.Name, t.Grantee + condition(t)}
}

// set is the path to a set that a relation names, such as group:staff#member.
func set(t, part *Trace) Path {
	return Path{t.Name, part.Object.String() + "#" + part.Name + condition(t)}
}

// condition is the caveat of a relation's own relationship, as SpiceDB's tools write it
// behind the subject. The caveat of a step may be that of one that it rests on.
func condition(t *Trace) string {
	if t.Caveat == nil || t.Caveat.Name == "" || isBelow(t) {
		return ""
	}
	return "[" + t.Caveat.Name + "]"
}

// isBelow reports whether the caveat that decided a relation is one of what it rests on.
func isBelow(t *Trace) bool {
	return slices.ContainsFunc(t.Parts, func(part Trace) bool { return part.Caveat != nil })
}

// through returns the paths of a relation that leads through a set.
func (g grants) through(t, part *Trace) (paths []Path) {
	return below(set(t, part), g.of(part))
}

// below returns paths with what leads to them.
func below(above Path, paths []Path) []Path {
	all := make([]Path, len(paths))
	for i, p := range paths {
		all[i] = slices.Concat(above, p)
	}
	return all
}

// in returns the paths by which an expression holds.
func (g grants) in(t *Trace, e *expression) (paths []Path) {
	switch e.operator {
	case operatorUnion:
		for i := range e.operands {
			if g.outcome(t, &e.operands[i]) == Held {
				return g.in(t, &e.operands[i])
			}
		}
	case operatorIntersection:
		for i := range e.operands {
			paths = append(paths, g.in(t, &e.operands[i])...)
		}
		return paths
	case operatorExclusion:
		return g.in(t, &e.operands[0])
	}
	for _, part := range g.parts(t, e) {
		if part.Outcome != Held {
			continue
		}
		paths = append(paths, below(g.step(t, &part), g.of(&part))...)
		if !e.all {
			break
		}
	}
	return paths
}

// step is the path from a permission to what it rests on: none, or the relation of an arrow
// and the object that it leads to.
func (g grants) step(t, part *Trace) Path {
	if part.Object == t.Object {
		return nil
	}
	via := "?"
	if e, ok := g.expression(t); ok {
		via = strings.Join(e.arrows(func(name string) bool { return g.names(part, name) }), " or ")
	}
	return Path{via, part.Object.String()}
}

// names reports whether a part is what a name of its definition stands for.
func (g grants) names(part *Trace, name string) bool {
	return part.Name == name || part.Name == g.schema.resolve(part.Object.Type, name)
}

// parts returns what was looked at for a leaf of the expression.
func (g grants) parts(t *Trace, leaf *expression) (parts []Trace) {
	for _, part := range t.sorted() {
		if g.names(&part, leaf.name) && leaf.isArrow() == (part.Object != t.Object) {
			parts = append(parts, part)
		}
	}
	return parts
}

// outcome returns what came of an expression.
func (g grants) outcome(t *Trace, e *expression) Outcome {
	switch e.operator {
	case operatorUnion:
		return either(g.outcome(t, &e.operands[0]), g.outcome(t, &e.operands[1]))
	case operatorIntersection:
		return both(g.outcome(t, &e.operands[0]), g.outcome(t, &e.operands[1]))
	case operatorExclusion:
		return both(g.outcome(t, &e.operands[0]), not(g.outcome(t, &e.operands[1])))
	}
	parts := g.parts(t, e)
	if len(parts) == 0 {
		return NotHeld
	}
	all := parts[0].Outcome
	for _, part := range parts[1:] {
		if e.all {
			all = both(all, part.Outcome)
		} else {
			all = either(all, part.Outcome)
		}
	}
	return all
}

func either(a, b Outcome) Outcome {
	switch {
	case a == Held || b == Held:
		return Held
	case a == Lacking || b == Lacking:
		return Lacking
	}
	return NotHeld
}

func both(a, b Outcome) Outcome { return not(either(not(a), not(b))) }

func not(a Outcome) Outcome {
	switch a {
	case Held:
		return NotHeld
	case Lacking:
		return Lacking
	default:
		return Held
	}
}
