package subset

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

const coalesce = "COALESCE"

// maxJoined bounds the columns whose texts are joined: their texts may be long,
// and a text over 1 GB is an error.
const maxJoined = 8

// function reads a call. length is one that TanStack DB emits and that Electric
// 1.7.12 has not.
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
			o.typ, o.known, o.tail = "int4", false, ""
		}
		return o, err
	case (name == "like" || name == "ilike") && len(f.Args) == 2:
		return truth(r.like(strings.ToUpper(name), f.Args[0], f.Args[1]))
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
	all := operand{typ: "text", fixed: true, constant: constant{known: true, field: "where"}}
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
		all.joined += o.joined
		if o.known {
			all.text += o.text
			all.tail += o.text
		} else {
			all.tail = o.tail
		}
		nodes[i] = o.node
	}
	if all.joined > maxJoined {
		return operand{}, nil, refusef("where", "joins the texts of more than %d columns", maxJoined)
	}
	return all, nodes, nil
}

// merge reads COALESCE, GREATEST or LEAST.
func (r *reader) merge(name string, args []*pg.Node) (operand, error) {
	operands := make([]*operand, len(args))
	all := operand{fixed: true}
	for i, a := range args {
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
	all.node = call{name, nodes}
	return all, nil
}

// extreme reads GREATEST and LEAST, which ignore NULLs.
func (r *reader) extreme(e *pg.MinMaxExpr) (operand, error) {
	name := "GREATEST"
	if e.Op == pg.MinMaxOp_IS_LEAST {
		name = "LEAST"
	}
	o, err := r.merge(name, e.Args)
	if err == nil && !familyOf(o.typ).ordered() {
		err = refuseWhere("values of type " + o.typ + " have no order")
	}
	return o, err
}
