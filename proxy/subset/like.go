package subset

import "strings"

func isLike(op string) bool { return strings.HasSuffix(op, "LIKE") }

// like returns LIKE and its like.
//
// At the end of a pattern Postgres refuses a lone escape character, but only once a
// row has matched that far. So a constant pattern that ends in one is not sent: it
// matches nothing. A pattern that is made of columns may end in one in some rows.
// There both sides are made longer by one character, x and a _ that stands for it:
// this changes nothing where the pattern is whole; and where it is not, its last
// character and the _ stand for an underscore, which no x is.
func like(op string, arg, pattern operand) (node, error) {
	arg, err := arg.asText()
	if err != nil {
		return nil, err
	}
	if pattern.untyped {
		if err := pattern.become("text"); err != nil {
			return nil, err
		}
	}
	switch {
	case pattern.array, familyOf(pattern.typ) != textual:
		return nil, refuseWhere("the pattern of LIKE must be text")
	case pattern.known && endsInEscape(pattern.text):
		if strings.HasPrefix(op, "NOT ") {
			return always(arg.node), nil
		}
		return never(arg.node), nil
	case pattern.known, isWhole(pattern.tail):
		return infix(op, arg.node, pattern.node), nil
	}
	return infix(op, followed(arg.node, "x"), followed(pattern.node, "_")), nil
}

func endsInEscape(pattern string) bool {
	n := len(pattern) - len(strings.TrimRight(pattern, `\`))
	return n%2 == 1
}

// isWhole reports whether every pattern with this end ends in something else than
// an escape character, whatever stands in front.
func isWhole(tail string) bool { return strings.Trim(tail, `\`) != "" && !endsInEscape(tail) }

// followed returns a text with a constant behind it.
func followed(n node, text string) node {
	return infix("||", flat("||", n, cast(literal{text}, "text"))...)
}
