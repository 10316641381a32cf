package subset

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

const coalesce = "COALESCE"

// maxJoined bounds the columns whose texts are joined: their texts may be long,
// and a text over 1 GB is an error.
const maxJoined = 8

// function reads a call. The list is what TanStack DB emits.
func (r *reader) function(f *pg.FuncCall) (operand, error) {
	name := ""
	if len(f.Funcname) == 1 {
		name = f.Funcname[0].GetString_().GetSval()
	}
	switch {
	case len(f.AggOrder) > 0, f.AggFilter != nil, f.Over != nil, f.AggWithinGroup, f.AggStar, f.AggDistinct,
		f.FuncVariadic, f.Funcformat != pg.CoercionForm_COERCE_EXPLICIT_CALL:
		return operand{}, refuseWhere("this form of a function call is not allowed")
	case name == "concat" && len(f.Args) > 0:
		o, nodes, err := r.texts(f.Args)
		o.node = call{name, nodes}
		return o, err
	case name == "lower" && len(f.Args) == 1, name == "upper" && len(f.Args) == 1, name == "length" && len(f.Args) == 1:
		o, nodes, err := r.texts(f.Args)
		o.node = call{name, nodes}
		if name == "length" {
			o.typ, o.known = "int4", false
		}
		return o, err
	}
	return operand{}, refusef("where", "the function %s is not allowed with these arguments", shown(functionName(f)))
}

func functionName(f *pg.FuncCall) string {
	parts := make([]string, len(f.Funcname))
	for i, n := range f.Funcname {
		parts[i] = n.GetString_().GetSval()
	}
	return strings.Join(parts, ".")
}

// join reads a || b. It is only allowed for text: for arrays and jsonb it is
// something else.
func (r *reader) join(e *pg.A_Expr) (operand, error) {
	o, nodes, err := r.texts([]*pg.Node{e.Lexpr, e.Rexpr})
	if err != nil {
		return operand{}, err
	}
	var parts []node
	for _, n := range nodes {
		if inner, ok := n.(joined); ok {
			parts = append(parts, inner.parts...)
			continue
		}
		parts = append(parts, n)
	}
	o.node = joined{parts}
	return o, nil
}

// texts reads operands that are text, and returns what is known of them joined.
// NULL counts as nothing, which it is to concat; || yields NULL, which is no value
// that could do harm.
func (r *reader) texts(args []*pg.Node) (operand, []node, error) {
	all := operand{typ: "text", fixed: true, known: true, field: "where"}
	nodes := make([]node, len(args))
	for i, a := range args {
		o, err := r.operand(a)
		if err != nil {
			return operand{}, nil, err
		}
		if o, err = o.asText(); err != nil {
			return operand{}, nil, err
		}
		all.fixed = all.fixed && o.fixed
		all.known = all.known && o.known
		all.text += o.text
		all.joined += o.joined
		nodes[i] = o.node
	}
	if all.joined > maxJoined {
		return operand{}, nil, refusef("where", "joins the texts of more than %d columns", maxJoined)
	}
	return all, nodes, nil
}

func (r *reader) coalesce(e *pg.CoalesceExpr) (operand, error) {
	operands := make([]*operand, len(e.Args))
	all := operand{fixed: true}
	for i, a := range e.Args {
		o, err := r.operand(a)
		if err != nil {
			return operand{}, err
		}
		operands[i] = &o
		all.fixed = all.fixed && o.fixed
		all.joined += o.joined
	}
	typ, err := unify(operands...)
	if err != nil {
		return operand{}, err
	}
	all.typ = typ
	nodes := make([]node, len(operands))
	for i, o := range operands {
		nodes[i] = o.node
	}
	all.node = call{coalesce, nodes}
	return all, nil
}

var likes = map[string]string{"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}

// like reads LIKE. The pattern must be a constant that is whole: at the end of a
// pattern, Postgres refuses a lone escape character, but only once a row has
// matched that far.
func (r *reader) like(e *pg.A_Expr, name string) (node, error) {
	op, ok := likes[name]
	if !ok {
		return nil, refuseWhere("this operator is not allowed")
	}
	arg, err := r.operand(e.Lexpr)
	if err != nil {
		return nil, err
	}
	if arg.fixed || arg.array || familyOf(arg.typ) != textual {
		return nil, refuseWhere("the left side of LIKE must be text and hold a column")
	}
	pattern, err := r.operand(e.Rexpr)
	if err != nil {
		return nil, err
	}
	if pattern.untyped {
		if err := pattern.become("text"); err != nil {
			return nil, err
		}
	}
	switch {
	case !pattern.known, pattern.null, pattern.array, familyOf(pattern.typ) != textual:
		return nil, refuseWhere("the pattern of LIKE must be a constant text")
	case endsInEscape(pattern.text):
		return nil, refuse(pattern.field, "is a pattern that ends in an escape character")
	}
	return compare{op, guarded(arg.node), pattern.node}, nil
}

func endsInEscape(pattern string) bool {
	n := len(pattern) - len(strings.TrimRight(pattern, `\`))
	return n%2 == 1
}
