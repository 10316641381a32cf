package subset

import (
	"bytes"
	"strings"
)

// printer writes nodes as SQL.
type printer struct {
	bytes.Buffer

	shift  int           // added to the number of each parameter
	number map[param]int // by first appearance, from 1
	params []string      // the values, in the order of their numbers
	filled bool          // print constants in place of parameters
}

// sqlOf prints a tree, with the numbers of its parameters from shift+1 on, and returns
// their values in the order of their numbers.
func sqlOf(root node, shift int) (sql string, params []string) {
	p := printer{shift: shift}
	root.print(&p)
	return p.String(), p.params
}

// filled prints a tree with constants in place of the parameters, as Electric
// does, and without arms of an AND or OR that come again: what a printer makes of
// one arm, it makes of an equal one.
func filled(root node) string {
	p := printer{filled: true}
	root.print(&p)
	return p.String()
}

func (p *printer) numberOf(n *param) int {
	number, ok := p.number[*n]
	if !ok {
		if p.number == nil {
			p.number = make(map[param]int)
		}
		p.params = append(p.params, n.value)
		number = len(p.params)
		p.number[*n] = number
	}
	return number
}

func (p *printer) text(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

func (p *printer) list(nodes []node) {
	for i, n := range nodes {
		if i > 0 {
			p.text(", ")
		}
		n.print(p)
	}
}

// chain prints a op b op c. If parameters are filled, it prints each arm of an AND or OR
// once, but two arms in any case.
func (p *printer) chain(op string, nodes []node) {
	var seen map[string]bool
	if p.filled && (op == "AND" || op == "OR") {
		seen = make(map[string]bool)
	}
	for i, n := range nodes {
		end := p.Len()
		if i > 0 {
			p.WriteByte(' ')
			p.WriteString(op)
			p.WriteByte(' ')
		}
		start := p.Len()
		n.print(p)
		switch arm := p.Bytes()[start:]; {
		case seen == nil:
		case i > 1 && seen[string(arm)]:
			p.Truncate(end)
		default:
			seen[string(arm)] = true
		}
	}
}

// writeQuoted writes s in quotes, the quotes inside doubled. For strings this
// counts on standard_conforming_strings, under which a backslash is a backslash;
// the parser that Electric uses has it on.
func writeQuoted(b *bytes.Buffer, quote byte, s string) {
	b.WriteByte(quote)
	for {
		i := strings.IndexByte(s, quote)
		if i < 0 {
			break
		}
		b.WriteString(s[:i+1])
		b.WriteByte(quote)
		s = s[i+1:]
	}
	b.WriteString(s)
	b.WriteByte(quote)
}
