package subset

import "strconv"

// node is a part of a where: what this package knows how to print, and nothing
// else. Nodes are not changed once they are made.
type node interface{ print(p *printer) }

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
	p.WriteByte('$')
	p.WriteString(strconv.Itoa(p.numberOf(n) + p.shift))
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

// expr is made of other nodes.
type expr struct {
	form form
	op   string
	args []node
	room [2]node // for args: most expressions are one allocation
}

// form says how an expression is written.
type form uint8

const (
	castForm       form = iota // a::op, of a constant, or of a column where no value can fail it
	subscriptForm              // a[op]
	callForm                   // op(a, b)
	prefixForm                 // (op a)
	infixForm                  // (a op b op c)
	testForm                   // (a IS op)
	memberForm                 // (a op (b, c))
	quantifiedForm             // (a op(b))
)

func (n *expr) print(p *printer) {
	switch n.form {
	case castForm:
		n.args[0].print(p)
		p.text("::", n.op)
	case subscriptForm:
		n.args[0].print(p)
		p.text("[", n.op, "]")
	case callForm:
		p.text(n.op, "(")
		p.list(n.args)
		p.text(")")
	case prefixForm:
		p.text("(", n.op, " ")
		n.args[0].print(p)
		p.text(")")
	case infixForm:
		p.WriteByte('(')
		p.chain(n.op, n.args)
		p.WriteByte(')')
	case testForm:
		p.text("(")
		n.args[0].print(p)
		p.text(" IS ", n.op, ")")
	case memberForm:
		p.text("(")
		n.args[0].print(p)
		p.text(" ", n.op, " (")
		p.list(n.args[1:])
		p.text("))")
	case quantifiedForm:
		p.text("(")
		n.args[0].print(p)
		p.text(" ", n.op, "(")
		n.args[1].print(p)
		p.text("))")
	}
}

func newExpr(form form, op string, args ...node) *expr {
	n := &expr{form: form, op: op}
	n.args = append(n.room[:0], args...)
	return n
}

func cast(n node, typ string) node        { return newExpr(castForm, typ, n) }
func subscript(n node, index string) node { return newExpr(subscriptForm, index, n) }
func call(name string, args ...node) node { return newExpr(callForm, name, args...) }
func prefix(op string, n node) node       { return newExpr(prefixForm, op, n) }
func infix(op string, args ...node) node  { return newExpr(infixForm, op, args...) }
func not(n node) node                     { return prefix("NOT", n) }
func test(n node, is string) node         { return newExpr(testForm, is, guarded(n)) }

// unknown is the condition that is neither true nor false.
var unknown = cast(null, "bool")

// never is a comparison that holds for no value: FALSE, and NULL where n is NULL, so
// that NOT makes of it what it makes of any other comparison.
func never(n node) node { return infix("AND", test(n, "NULL"), unknown) }

// always is a comparison that holds for every value: TRUE, and NULL where n is NULL.
func always(n node) node { return infix("OR", test(n, "NOT NULL"), unknown) }

// flat returns the operands of an operator, with those of the same operator among them
// in the place of the expression that they stand in.
func flat(op string, nodes ...node) []node {
	all := make([]node, 0, len(nodes))
	for _, n := range nodes {
		all = appendFlat(all, op, n)
	}
	return all
}

func appendFlat(all []node, op string, n node) []node {
	if inner, ok := n.(*expr); ok && inner.form == infixForm && inner.op == op {
		return append(all, inner.args...)
	}
	return append(all, n)
}

// isCondition reports whether an expression prints as an operator that yields a boolean.
func (n *expr) isCondition() bool {
	switch n.form {
	case castForm, subscriptForm, callForm:
		return false
	}
	switch n.op {
	case "||", "+", "-", "&", "|", "#", "~":
		return false
	}
	return true
}

// guarded returns a condition as it may stand under another operator. libpg_query's
// printer, which Electric uses, forgets the parentheses of most such operands; it
// does not forget a function's.
func guarded(n node) node {
	if e, ok := n.(*expr); ok && e.isCondition() {
		return call(coalesce, n)
	}
	return n
}
