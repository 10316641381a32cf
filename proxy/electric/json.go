package electric

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// member is one name/value pair of a JSON object, as slices of its text.
type member struct {
	name  []byte // a JSON string, with its quotes
	value []byte
}

// members calls yield for each member of a JSON object, in order, until yield returns
// false. The text must be valid JSON: it was checked once, when it was cut out of a
// body, and is not checked again for speed. Other text gives a wrong result, and no
// panic.
func members(object []byte, yield func(member) bool) {
	i := skipSpace(object, 0)
	if i >= len(object) || object[i] != '{' {
		return
	}
	i = skipSpace(object, i+1)
	for i < len(object) && object[i] == '"' {
		var m member
		end := skipValue(object, i)
		m.name = object[i:end]
		if i = skipSpace(object, end); i >= len(object) {
			return
		}
		i = skipSpace(object, i+1) // the colon
		end = skipValue(object, i)
		m.value = object[i:end]
		if !yield(m) {
			return
		}
		i = skipSpace(object, end)
		if i >= len(object) || object[i] != ',' {
			return
		}
		i = skipSpace(object, i+1)
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the index after the JSON value that begins at i.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
		return i
	default:
		for i < len(b) && !endsLiteral(b[i]) {
			i++
		}
		return i
	}
}

// endsLiteral reports whether c ends a number, true, false or null.
func endsLiteral(c byte) bool {
	switch c {
	case ',', ']', '}', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}

// skipString returns the index after the JSON string that begins at i.
func skipString(b []byte, i int) int {
	if end, ok := stringEnd(b, i); ok {
		return end
	}
	return len(b)
}

// stringEnd returns the index after the JSON string that begins at i, if it ends.
func stringEnd(b []byte, i int) (end int, ok bool) {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return 0, false
		}
		quote := i + n
		escapes := 0
		for j := quote - 1; j >= i && b[j] == '\\'; j-- {
			escapes++
		}
		i = quote + 1
		if escapes%2 == 0 {
			return i, true
		}
	}
	return 0, false
}

// stringIs reports whether a JSON string, with its quotes, means s.
func stringIs(quoted []byte, s string) bool {
	if len(quoted) < 2 || quoted[0] != '"' {
		return false
	}
	inner := quoted[1 : len(quoted)-1]
	if string(inner) == s {
		return true
	}
	// With escapes it is longer than its meaning.
	if len(inner) <= len(s) || bytes.IndexByte(inner, '\\') < 0 {
		return false
	}
	text, err := jsontext.AppendUnquote(nil, quoted)
	return err == nil && string(text) == s
}

// Unquote returns the text of a JSON string, with its quotes. Errors are *ProtocolError.
func Unquote(quoted []byte) ([]byte, error) { return unquote(quoted) }

// unquote returns the text of a JSON string, which comes with its quotes. The result is
// a slice of the argument if there are no escapes in it.
func unquote(quoted []byte) ([]byte, error) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return nil, protocolErrorf("a column's value is neither a string nor null")
	}
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return nil, protocolErrorf("a string is not valid JSON")
	}
	return text, nil
}
