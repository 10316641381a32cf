package subset

import "strings"

// evaluable reports what a condition holds that Electric 1.7.12 does not evaluate
// itself, or evaluates otherwise than Postgres does. A main where is evaluated by
// both: Postgres chooses the rows of a snapshot, Electric the changes of the log.
//
// Two differences are left to those who write the where: Electric orders texts by
// their bytes whatever the collation is, and its % and _ match no line feed.
func evaluable(n node, columns Columns) error {
	switch n := n.(type) {
	case column:
		// Of other types Electric would leave out every row, even for IS NULL.
		c := columns[n.name]
		if f := familyOf(c.Type); f == incomparable || f == enum {
			return refuseWhere("Electric does not evaluate columns of type " + c.Type + " in a log")
		}
	case *expr:
		for _, arg := range n.args {
			if err := evaluable(arg, columns); err != nil {
				return err
			}
		}
		return evaluableExpr(n, columns)
	case *param, literal, word:
	default:
		return errNotAllowed()
	}
	return nil
}

// evaluableExpr is evaluable of an expression whose operands are.
func evaluableExpr(n *expr, columns Columns) error {
	switch {
	case n.form == castForm:
		if c, ok := n.args[0].(column); ok {
			return evaluableCast(columns[c.name].Type, n.op)
		}
	case n.form == callForm && n.op == "length":
		return refuseWhere("Electric has no function length")
	case n.form == quantifiedForm:
		return evaluableElements(n)
	case n.form == infixForm && isLike(n.op):
		return checkPattern(n.args[1])
	}
	return nil
}

// evaluableCast refuses casts of columns to text that Electric spells otherwise.
func evaluableCast(from, to string) error {
	switch f := familyOf(from); {
	case to == "text" && f != integer && f != textual && f != uuid && f != date, to == "bool":
		return refuseWhere("Electric does not cast " + from + " to " + to + " as Postgres does")
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
	case word:
		return "", true
	case *expr:
		if n.form == castForm || n.form == callForm && n.op != coalesce || n.form == infixForm && n.op == "||" {
			return constantTexts(n.args)
		}
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

// evaluableElements refuses arrays that hold NULL: beside one, Electric says false where
// Postgres says neither true nor false.
func evaluableElements(n *expr) error {
	text, ok := constantText(n.args[1])
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
