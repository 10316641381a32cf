package subset

import (
	"errors"
	"iter"
	"strings"
)

// ArrayLiteral returns the values as a Postgres array literal, {a,"b c"}, which
// both Postgres and Electric read back as the same values. The values must be
// valid for the array's type; no value stands for NULL.
func ArrayLiteral(values iter.Seq[string]) string {
	size := len("{}")
	for v := range values {
		size += len(v) + len(",")
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteByte('{')
	var element []byte
	for v := range values {
		if b.Len() > len("{") {
			b.WriteByte(',')
		}
		element = appendElement(element[:0], v)
		b.Write(element)
	}
	b.WriteByte('}')
	return b.String()
}

// appendElement quotes an element unless that is plainly not needed: an empty
// one, NULL, blanks and the characters of the syntax all have a meaning of their
// own when they are not quoted.
func appendElement(dst []byte, v string) []byte {
	if plain(v) {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for i := range len(v) {
		if v[i] == '"' || v[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, v[i])
	}
	return append(dst, '"')
}

func plain(v string) bool {
	if v == "" || len(v) == 4 && strings.EqualFold(v, "null") {
		return false
	}
	for i := range len(v) {
		if !plainByte[v[i]] {
			return false
		}
	}
	return true
}

// plainByte holds the bytes that mean themselves without quotes.
var plainByte = func() (table [256]bool) {
	for _, c := range []byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") {
		table[c] = true
	}
	return table
}()

// element is one element of an array that a client sent.
type element struct {
	text   string
	null   bool
	strict bool // it must be a value of the type that it is compared with
}

var errArray = errors.New("not a one-dimensional array")

// parseArray reads an array literal of one dimension as Postgres does: blanks
// around elements do not count, a backslash escapes in quotes and out of them,
// NULL in any case stands for itself unless it is quoted or escaped.
func parseArray(s string) ([]element, error) {
	s, ok := strings.CutPrefix(strings.Trim(s, arrayBlanks), "{")
	if !ok {
		return nil, errArray
	}
	rest := strings.TrimLeft(s, arrayBlanks)
	if rest == "}" {
		return nil, nil
	}
	var elements []element
	for {
		e, after, err := cutElement(rest)
		if err != nil {
			return nil, err
		}
		elements = append(elements, e)
		switch {
		case after == "}":
			return elements, nil
		case after[0] != ',':
			return nil, errArray
		}
		rest = strings.TrimLeft(after[1:], arrayBlanks)
	}
}

const arrayBlanks = " \t\n\r\v\f"

// cutElement reads one element, and returns it with what follows it: a text that
// starts with a comma or a brace.
func cutElement(s string) (element, string, error) {
	if strings.HasPrefix(s, `"`) {
		text, rest, err := cutQuoted(s[1:])
		rest = strings.TrimLeft(rest, arrayBlanks)
		if err != nil || rest == "" {
			return element{}, "", errArray
		}
		return element{text: text}, rest, nil
	}
	var text strings.Builder
	escaped, kept := false, 0 // kept: up to here, blanks are part of the element
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '{', '"':
			return element{}, "", errArray
		case ',', '}':
			e := text.String()
			e = e[:kept] + strings.TrimRight(e[kept:], arrayBlanks)
			if e == "" {
				return element{}, "", errArray
			}
			if !escaped && strings.EqualFold(e, "null") {
				return element{null: true}, s[i:], nil
			}
			return element{text: e}, s[i:], nil
		case '\\':
			i++
			if i == len(s) {
				return element{}, "", errArray
			}
			escaped = true
			text.WriteByte(s[i])
			kept = text.Len()
		default:
			text.WriteByte(c)
		}
	}
	return element{}, "", errArray
}

func cutQuoted(s string) (text, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", errArray
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", errArray
}

// arrayText prints elements, the NULLs among them, as an array literal.
func arrayText(elements []element) string {
	dst := []byte{'{'}
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		if e.null {
			dst = append(dst, "NULL"...)
			continue
		}
		dst = appendElement(dst, e.text)
	}
	return string(append(dst, '}'))
}
