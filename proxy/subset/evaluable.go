package subset

import "strings"

// evaluable reports what a condition holds that Electric 1.7.12 does not evaluate
// itself, or evaluates otherwise than Postgres does. A main where is evaluated by
// both: Postgres chooses the rows of a snapshot, Electric the changes of the log.
//
// Two differences are left to those who write the where: Electric orders texts by
// their bytes whatever the collation is, and its % and _ match no line feed.
func evaluable(root node, columns Columns) error {
	return (&evaluation{columns}).check(root)
}

type evaluation struct{ columns Columns }

func (e *evaluation) all(nodes ...node) error {
	for _, n := range nodes {
		if err := e.check(n); err != nil {
			return err
		}
	}
	return nil
}

func (e *evaluation) check(n node) error {
	switch n := n.(type) {
	case column:
		return e.column(n)
	case cast:
		return e.cast(n)
	case call:
		if n.name == "length" {
			return refuseWhere("Electric has no function length")
		}
		return e.all(n.args...)
	case joined:
		return e.all(n.parts...)
	case sum:
		for _, t := range n.terms {
			if err := e.check(t.value); err != nil {
				return err
			}
		}
	case infix:
		return e.all(n.left, n.right)
	case complement:
		return e.check(n.arg)
	case subscript:
		return e.check(n.array)
	case logic:
		return e.all(n.args...)
	case not:
		return e.check(n.arg)
	case test:
		return e.check(n.arg)
	case member:
		return e.all(append([]node{n.arg}, n.list...)...)
	case compare:
		if err := e.all(n.left, n.right); err != nil || !isLike(n.op) {
			return err
		}
		return checkPattern(n.right)
	case quantified:
		return e.quantified(n)
	case *param, literal, word:
	default:
		return errNotAllowed()
	}
	return nil
}

// column refuses the types that Electric cannot read in its log: every row would be
// left out of it, even for IS NULL.
func (e *evaluation) column(n column) error {
	c := e.columns[n.name]
	if f := familyOf(c.Type); f == incomparable || f == enum {
		return refuseWhere("Electric does not evaluate columns of type " + c.Type + " in a log")
	}
	return nil
}

// cast refuses casts of columns to text that Electric spells otherwise.
func (e *evaluation) cast(n cast) error {
	if err := e.check(n.arg); err != nil {
		return err
	}
	c, ok := n.arg.(column)
	if !ok {
		return nil
	}
	from := e.columns[c.name].Type
	switch f := familyOf(from); {
	case n.typ == "text" && f != integer && f != textual && f != uuid && f != date, n.typ == "bool":
		return refuseWhere("Electric does not cast " + from + " to " + n.typ + " as Postgres does")
	}
	return nil
}

// checkPattern refuses what is special to Electric in a LIKE: it reads a backslash
// otherwise.
func checkPattern(n node) error {
	pattern, ok := constantText(n)
	switch {
	case !ok:
		return refuseWhere("the pattern of LIKE must be a constant in a log")
	case strings.Contains(pattern, `\`):
		return refuseWhere("Electric does not read a backslash in a pattern of LIKE as Postgres does")
	}
	return nil
}

// constantText returns the text that a node stands for, up to the case of letters.
func constantText(n node) (string, bool) {
	switch n := n.(type) {
	case literal:
		return n.text, true
	case *param:
		return n.value, true
	case cast:
		return constantText(n.arg)
	case word:
		return "", true
	case joined:
		return constantTexts(n.parts)
	case call:
		if n.name == coalesce {
			return "", false
		}
		return constantTexts(n.args)
	}
	return "", false
}

func constantTexts(nodes []node) (string, bool) {
	all := ""
	for _, n := range nodes {
		text, ok := constantText(n)
		if !ok {
			return "", false
		}
		all += text
	}
	return all, true
}

// quantified refuses arrays that hold NULL: beside one, Electric says false where
// Postgres says neither true nor false.
func (e *evaluation) quantified(n quantified) error {
	if err := e.all(n.arg, n.array); err != nil {
		return err
	}
	text, ok := constantText(n.array)
	if !ok {
		return nil
	}
	elements, err := parseArray(text)
	if err != nil {
		return errNotAllowed()
	}
	for _, el := range elements {
		switch {
		case el.null:
			return refuseWhere("Electric does not compare with an array that holds NULL as Postgres does")
		case strings.Contains(n.op, "LIKE") && strings.Contains(el.text, `\`):
			return checkPattern(literal{el.text})
		}
	}
	return nil
}
