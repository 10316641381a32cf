package forwarded

import (
	"regexp"
	"strings"
)

// hops are the addresses that a header has, as they are written.
type hops struct {
	of   Header
	rest string // elements that are still to be read, from the right
	done bool
}

// newHops joins the lines of a header, which are one list (RFC 9110, section 5.3).
func newHops(of Header, lines []string) *hops { return &hops{of: of, rest: strings.Join(lines, ",")} }

// last takes the last hop off. An element that cannot be read is a hop without an address,
// "". It reports false where there is none any more.
func (h *hops) last() (hop string, more bool) {
	if h.done {
		return "", false
	}
	var element string
	i := lastComma(h.rest, h.of == Forwarded)
	if i < 0 {
		element, h.rest, h.done = h.rest, "", true
	} else {
		element, h.rest = h.rest[i+1:], h.rest[:i]
	}
	element = strings.Trim(element, " \t")
	if h.of == Forwarded {
		element, _ = forOf(element)
	}
	return element, true
}

// lastComma returns the place of the last comma that is not within quotes.
func lastComma(s string, quotes bool) int {
	if !quotes {
		return strings.LastIndexByte(s, ',')
	}
	at, inQuotes := -1, false
	for i := 0; i < len(s); i++ {
		switch {
		case inQuotes && s[i] == '\\':
			i++
		case s[i] == '"':
			inQuotes = !inQuotes
		case s[i] == ',' && !inQuotes:
			at = i
		}
	}
	if inQuotes {
		return len(s) - 1 // a quote that does not end: the last element is malformed, and empty
	}
	return at
}

// parameterName matches a token (RFC 9110, section 5.6.2). A name with a quote would be one
// that a client has opened, and that swallows what a proxy added.
var parameterName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// forOf returns the value of "for" of an element of Forwarded, as in
// for="[2001:db8::1]:4711";proto=https. It reports false where there is not one.
func forOf(element string) (node string, ok bool) {
	for element != "" {
		name, rest, found := strings.Cut(element, "=")
		if !found {
			return "", false
		}
		name = strings.Trim(name, " \t")
		value, rest, isValue := cutValue(rest)
		if !isValue || !parameterName.MatchString(name) {
			return "", false
		}
		if strings.EqualFold(name, "for") {
			if ok { // twice
				return "", false
			}
			node, ok = value, true
		}
		element = rest
	}
	return node, ok
}

// cutValue cuts a token or a quoted string off, and the semicolon behind it.
func cutValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		value = strings.Trim(value, " \t")
		return value, rest, value != "" && !strings.ContainsAny(value, "\" \t")
	}
	var text strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				text.WriteByte(s[i])
			}
		case '"':
			rest = strings.TrimLeft(s[i+1:], " \t")
			if rest == "" {
				return text.String(), "", true
			}
			rest, ok = strings.CutPrefix(rest, ";")
			return text.String(), rest, ok
		default:
			text.WriteByte(s[i])
		}
	}
	return "", "", false
}
