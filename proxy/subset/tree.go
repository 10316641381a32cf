package subset

import (
	"bytes"
	"strconv"
	"strings"
)

// node is a part of a where: what this package knows how to print, and nothing
// else. Nodes are not changed once they are made.
type node interface{ print(p *printer) }

// printer writes nodes as SQL.
type printer struct {
	bytes.Buffer

	shift  int           // added to the number of each parameter
	number map[param]int // by first appearance, from 1
	params []string      // the values, in the order of their numbers
	filled bool          // print constants in place of parameters
}

func newPrinter(shift int) *printer {
	return &printer{shift: shift, number: make(map[param]int)}
}

// paramsOf returns the values of a tree's parameters in the order of their numbers.
func paramsOf(root node) []string {
	p := newPrinter(0)
	root.print(p)
	return p.params
}

// filled prints a tree with constants in place of the parameters, as Electric
// does, and without arms of an AND or OR that come again: what a printer makes of
// one arm, it makes of an equal one.
func filled(root node) string {
	p := newPrinter(0)
	p.filled = true
	root.print(p)
	return p.String()
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

func (p *printer) list(open, separator string, nodes []node, closing string) {
	p.WriteString(open)
	for i, n := range nodes {
		if i > 0 {
			p.WriteString(separator)
		}
		n.print(p)
	}
	p.WriteString(closing)
}

// Atoms.

type column struct{ name string }

func (n column) print(p *printer) { writeQuoted(&p.Buffer, '"', n.name) }

// param is one value that goes upstream. Equal params have one number.
//
// Electric gives each of its parameters one type. So a parameter of the client
// that meets columns of two families of types goes upstream twice; and so does one
// that is used as a value and as an array, or that is spelled in two ways.
type param struct {
	source int // the client's number
	family family
	array  bool // value is an array literal
	value  string
}

func (n *param) print(p *printer) {
	if p.filled {
		p.WriteString("'{}'::text")
		if n.array {
			p.WriteString("[]")
		}
		return
	}
	number, ok := p.number[*n]
	if !ok {
		p.params = append(p.params, n.value)
		number = len(p.params)
		p.number[*n] = number
	}
	p.WriteByte('$')
	p.WriteString(strconv.Itoa(number + p.shift))
}

type literal struct{ text string }

func (n literal) print(p *printer) { writeQuoted(&p.Buffer, '\'', n.text) }

// word is NULL, TRUE or FALSE.
type word string

const (
	null word = "NULL"
	yes  word = "TRUE"
	no   word = "FALSE"
)

func (n word) print(p *printer) { p.WriteString(string(n)) }

// unknown is the condition that is neither true nor false.
var unknown = cast{null, "bool"}

// cast gives a type to a constant, or to a column where no value can fail it.
type cast struct {
	arg node
	typ string
}

func (n cast) print(p *printer) {
	n.arg.print(p)
	p.WriteString("::")
	p.WriteString(n.typ)
}

// call is a function, or COALESCE.
type call struct {
	name string
	args []node
}

func (n call) print(p *printer) { p.list(n.name+"(", ", ", n.args, ")") }

// Values made of values.

// joined is a || b || c.
type joined struct{ parts []node }

func (n joined) print(p *printer) { p.list("(", " || ", n.parts, ")") }

// sum is a + b - c. Each term is a cast, all to the same type.
type sum struct{ terms []term }

type term struct {
	minus bool
	value node
}

func (n sum) print(p *printer) {
	p.WriteString(strings.Repeat("(", len(n.terms)-1))
	for i, t := range n.terms {
		switch {
		case i == 0:
		case t.minus:
			p.WriteString(" - ")
		default:
			p.WriteString(" + ")
		}
		t.value.print(p)
		if i > 0 {
			p.WriteByte(')')
		}
	}
}

// infix is a & b and its like.
type infix struct {
	op          string
	left, right node
}

func (n infix) print(p *printer) {
	p.WriteByte('(')
	n.left.print(p)
	p.WriteString(" " + n.op + " ")
	n.right.print(p)
	p.WriteByte(')')
}

// subscript is a[1].
type subscript struct {
	array node
	index string
}

func (n subscript) print(p *printer) {
	n.array.print(p)
	p.WriteString("[" + n.index + "]")
}

// complement is ~a.
type complement struct{ arg node }

func (n complement) print(p *printer) {
	p.WriteString("(~ ")
	n.arg.print(p)
	p.WriteByte(')')
}

// Conditions.

// logic is a AND b AND c, or the same with OR.
type logic struct {
	op   string
	args []node
}

func (n logic) print(p *printer) {
	if p.filled {
		n.printDistinct(p)
		return
	}
	p.list("(", " "+n.op+" ", n.args, ")")
}

// printDistinct prints each arm once, but two arms in any case.
func (n logic) printDistinct(p *printer) {
	seen := make(map[string]bool)
	printed := 0
	p.WriteByte('(')
	for _, arg := range n.args {
		end := p.Len()
		if printed > 0 {
			p.WriteString(" " + n.op + " ")
		}
		start := p.Len()
		arg.print(p)
		if printed > 1 && seen[string(p.Bytes()[start:])] {
			p.Truncate(end)
			continue
		}
		seen[string(p.Bytes()[start:])] = true
		printed++
	}
	p.WriteByte(')')
}

type not struct{ arg node }

func (n not) print(p *printer) {
	p.WriteString("(NOT ")
	n.arg.print(p)
	p.WriteByte(')')
}

// compare is a comparison, LIKE or its like, IS [NOT] DISTINCT FROM, or an
// operator on arrays.
type compare struct {
	op          string
	left, right node
}

func (n compare) print(p *printer) {
	p.WriteByte('(')
	n.left.print(p)
	p.WriteByte(' ')
	p.WriteString(n.op)
	p.WriteByte(' ')
	n.right.print(p)
	p.WriteByte(')')
}

// test is IS NULL and its like.
type test struct {
	arg node
	is  string
}

func (n test) print(p *printer) {
	p.WriteByte('(')
	n.arg.print(p)
	p.WriteString(" IS ")
	p.WriteString(n.is)
	p.WriteByte(')')
}

// member is a IN (b, c), or NOT IN.
type member struct {
	arg  node
	op   string
	list []node
}

func (n member) print(p *printer) {
	p.WriteByte('(')
	n.arg.print(p)
	p.WriteByte(' ')
	p.WriteString(n.op)
	p.list(" (", ", ", n.list, "))")
}

// quantified is a = ANY(b), or any other comparison with ANY or ALL.
type quantified struct {
	arg   node
	op    string
	array node
}

func (n quantified) print(p *printer) {
	p.WriteByte('(')
	n.arg.print(p)
	p.WriteByte(' ')
	p.WriteString(n.op)
	p.WriteByte('(')
	n.array.print(p)
	p.WriteString("))")
}

// never is a comparison that holds for no value: FALSE, and NULL where n is NULL, so
// that NOT makes of it what it makes of any other comparison.
func never(n node) node { return logic{"AND", []node{test{guarded(n), "NULL"}, unknown}} }

// always is a comparison that holds for every value: TRUE, and NULL where n is NULL.
func always(n node) node { return logic{"OR", []node{test{guarded(n), "NOT NULL"}, unknown}} }

// isCondition reports whether a node prints as an operator that yields a boolean.
func isCondition(n node) bool {
	switch n.(type) {
	case logic, not, compare, test, member, quantified:
		return true
	}
	return false
}

// guarded returns a condition as it may stand under another operator. libpg_query's
// printer, which Electric uses, forgets the parentheses of most such operands; it
// does not forget a function's.
func guarded(n node) node {
	if isCondition(n) {
		return call{coalesce, []node{n}}
	}
	return n
}
