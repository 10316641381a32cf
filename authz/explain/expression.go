package explain

import "regexp"

// expression is the expression of a permission: (viewer + project->view) - banned.
type expression struct {
	operator operator
	operands []expression

	// A leaf has a name of the permission's own definition; an arrow leads by the relation
	// via to the objects whose name is asked for.
	name, via string
	all       bool // an arrow that asks for all of the objects, not for any
}

type operator string

const (
	operatorLeaf         operator = ""
	operatorUnion        operator = "+"
	operatorIntersection operator = "&"
	operatorExclusion    operator = "-"
)

// precedence is the order of the operators, that which binds loosest first.
var precedence = []operator{operatorExclusion, operatorIntersection, operatorUnion}

func (e *expression) isArrow() bool { return e.via != "" }

// arrows returns the relations by which arrows of the expression lead to objects whose name
// is asked for.
func (e *expression) arrows(is func(name string) bool) (via []string) {
	if e.isArrow() && is(e.name) {
		return []string{e.via}
	}
	for i := range e.operands {
		via = append(via, e.operands[i].arrows(is)...)
	}
	return via
}

var expressionToken = regexp.MustCompile(`\w+|->|\S`)

// parseExpression reads an expression of a schema. It returns false for one that has what
// is not known here.
func parseExpression(text string) (expression, bool) {
	p := expressionParser{left: expressionToken.FindAllString(text, -1), ok: true}
	e := p.binary(0)
	return e, p.ok && len(p.left) == 0
}

// expressionParser has the tokens that are left.
type expressionParser struct {
	left []string
	ok   bool
}

func (p *expressionParser) next() string {
	if len(p.left) == 0 {
		return ""
	}
	return p.left[0]
}

// take reads a token if it is the next one.
func (p *expressionParser) take(token string) bool {
	if p.next() != token {
		return false
	}
	p.left = p.left[1:]
	return true
}

func (p *expressionParser) need(token string) {
	if !p.take(token) {
		p.ok = false
	}
}

// binary reads operands that are joined by an operator of a level. Operators of one level
// are read from left to right.
func (p *expressionParser) binary(level int) expression {
	if level == len(precedence) {
		return p.operand()
	}
	e := p.binary(level + 1)
	for p.ok && p.take(string(precedence[level])) {
		right := p.binary(level + 1)
		e = expression{operator: precedence[level], operands: []expression{e, right}}
	}
	return e
}

func (p *expressionParser) operand() expression {
	if p.take("(") {
		e := p.binary(0)
		p.need(")")
		return e
	}
	name := p.word()
	switch {
	case p.take("->"):
		return expression{via: name, name: p.word()}
	case p.take("."):
		function := p.word()
		p.need("(")
		e := expression{via: name, name: p.word(), all: function == "all"}
		p.need(")")
		if function != "any" && function != "all" {
			p.ok = false
		}
		return e
	}
	return expression{name: name}
}

func (p *expressionParser) word() string {
	w := p.next()
	if w == "" || !isWord.MatchString(w) {
		p.ok = false
		return ""
	}
	p.left = p.left[1:]
	return w
}

var isWord = regexp.MustCompile(`^\w+$`)
