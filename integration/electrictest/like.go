package electrictest

import (
	"strings"
	"unicode/utf8"
)

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
