package electrictest

import (
	"errors"
	"strings"
)

var errArray = errors.New("malformed array literal")

// parseArray reads an array literal of one dimension; a nil item is NULL. nested
// reports that it has more dimensions, which are validated but not returned.
func parseArray(s string) (items []*string, nested bool, err error) {
	s = strings.Trim(s, " \t\n\r\v\f")
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, false, errArray
	}
	p := arrayParser{s: s, i: 1}
	if p.space(); p.s[p.i] == '}' {
		if p.i != len(s)-1 {
			return nil, false, errArray
		}
		return nil, false, nil
	}
	items = make([]*string, 0, 1+strings.Count(s, ","))
	for {
		p.space()
		if p.i < len(s) && s[p.i] == '{' {
			end := matchingBrace(s, p.i)
			if end < 0 {
				return nil, false, errArray
			}
			if _, _, err := parseArray(s[p.i : end+1]); err != nil {
				return nil, false, err
			}
			nested, p.i = true, end+1
		} else {
			item, err := p.item()
			if err != nil {
				return nil, false, err
			}
			items = append(items, item)
		}
		if p.space(); p.i >= len(s) {
			return nil, false, errArray
		}
		switch s[p.i] {
		case ',':
			p.i++
		case '}':
			if p.i != len(s)-1 || nested && len(items) > 0 {
				return nil, false, errArray
			}
			return items, nested, nil
		default:
			return nil, false, errArray
		}
	}
}

type arrayParser struct {
	s string
	i int
}

func (p *arrayParser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\n\r\v\f", p.s[p.i]) >= 0 {
		p.i++
	}
}

// item reads one element, quoted or not.
func (p *arrayParser) item() (*string, error) {
	if p.i < len(p.s) && p.s[p.i] == '"' {
		return p.quoted()
	}
	start := p.i
	escaped := false
	for p.i < len(p.s) && p.s[p.i] != ',' && p.s[p.i] != '}' {
		switch p.s[p.i] {
		case '{', '"':
			return nil, errArray
		case '\\':
			escaped = true
			p.i++
		}
		p.i++
	}
	if p.i > len(p.s) {
		return nil, errArray
	}
	text := strings.TrimRight(p.s[start:p.i], " \t\n\r\v\f")
	if text == "" {
		return nil, errArray
	}
	if strings.EqualFold(text, "null") {
		return nil, nil
	}
	if escaped {
		text = unescape(text)
	}
	return &text, nil
}

func (p *arrayParser) quoted() (*string, error) {
	start := p.i + 1
	escaped := false
	for p.i = start; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			escaped = true
			p.i++
		case '"':
			text := p.s[start:p.i]
			p.i++
			if escaped {
				text = unescape(text)
			}
			return &text, nil
		}
	}
	return nil, errArray
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// matchingBrace returns the index of the brace that closes the one at i, or -1.
func matchingBrace(s string, i int) int {
	depth, quoted := 0, false
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// formatArray spells an array as Postgres prints it.
func formatArray(items []*string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		switch {
		case item == nil:
			b.WriteString("NULL")
		case arrayItemNeedsQuotes(*item):
			b.WriteByte('"')
			for j := range len(*item) {
				if c := (*item)[j]; c == '"' || c == '\\' {
					b.WriteByte('\\')
				}
				b.WriteByte((*item)[j])
			}
			b.WriteByte('"')
		default:
			b.WriteString(*item)
		}
	}
	b.WriteByte('}')
	return b.String()
}

func arrayItemNeedsQuotes(s string) bool {
	return s == "" || strings.EqualFold(s, "null") || strings.ContainsAny(s, "{}\",\\ \t\n\r\v\f")
}
