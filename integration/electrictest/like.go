package electrictest

import (
	"strings"
	"unicode/utf8"
)

// patterns are LIKE and its like.
var patterns = map[string]func(text, pattern datum) bool{
	"~~":   func(x, y datum) bool { return like(x.s, y.s) },
	"!~~":  func(x, y datum) bool { return !like(x.s, y.s) },
	"~~*":  func(x, y datum) bool { return ilike(x.s, y.s) },
	"!~~*": func(x, y datum) bool { return !ilike(x.s, y.s) },
}

func (c *rules) texts(loc int32, args []*expr) error {
	for i, a := range args {
		var err error
		if args[i], err = c.give(a, typeText); err != nil {
			return err
		}
		if args[i].typ.kind() != kindText {
			return sqlErrorf(loc, "Could not select an operator overload")
		}
	}
	return nil
}

func (c *rules) match(op string, loc int32, a, b *expr) (*expr, error) {
	args := []*expr{a, b}
	if err := c.texts(loc, args); err != nil {
		return nil, err
	}
	matches := patterns[op]
	return strict2(typeBool, loc, args[0], args[1], func(x, y datum) datum { return boolDatum(matches(x, y)) }), nil
}

// like matches text against a LIKE pattern: % for any run of characters, _ for
// one, and a backslash before either to mean itself.
func like(text, pattern string) bool {
	for pattern != "" {
		c, size := utf8.DecodeRuneInString(pattern)
		switch c {
		case '%':
			pattern = strings.TrimLeft(pattern, "%")
			if pattern == "" {
				return true
			}
			for i := range text {
				if like(text[i:], pattern) {
					return true
				}
			}
			return like("", pattern)
		case '_':
			if text == "" {
				return false
			}
			_, n := utf8.DecodeRuneInString(text)
			text, pattern = text[n:], pattern[size:]
			continue
		case '\\':
			if len(pattern) > size {
				pattern = pattern[size:]
				c, size = utf8.DecodeRuneInString(pattern)
			}
		}
		t, n := utf8.DecodeRuneInString(text)
		if n == 0 || t != c {
			return false
		}
		text, pattern = text[n:], pattern[size:]
	}
	return text == ""
}

func ilike(text, pattern string) bool { return like(strings.ToLower(text), strings.ToLower(pattern)) }
