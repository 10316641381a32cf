package subset

import (
	"math"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

const coalesce = "COALESCE"

// maxJoined bounds the columns whose texts are joined: their texts may be long,
// and a text over 1 GB is an error.
const maxJoined = 8

// functionRule returns a call of a function with the arguments.
type functionRule func(name string, args []operand) (operand, error)

// functions are the functions that may be called, and with how many arguments. length is
// one that TanStack DB emits and that Electric 1.7.12 has not.
var functions = map[string]struct {
	least, most int
	apply       functionRule
}{
	"concat": {1, math.MaxInt, callOfTexts},
	"lower":  {1, 1, callOfTexts},
	"upper":  {1, 1, callOfTexts},
	"length": {1, 1, length},
	"like":   {2, 2, likeFunction},
	"ilike":  {2, 2, likeFunction},
}

func functionName(f *pg.FuncCall) string {
	parts := make([]string, len(f.Funcname))
	for i, n := range f.Funcname {
		parts[i] = n.GetString_().GetSval()
	}
	return strings.Join(parts, ".")
}

func callOfTexts(name string, args []operand) (operand, error) {
	o, nodes, err := texts(args)
	o.node = call(name, nodes...)
	return o, err
}

func length(name string, args []operand) (operand, error) {
	o, err := callOfTexts(name, args)
	o.typ, o.known, o.tail = "int4", false, ""
	return o, err
}

func likeFunction(name string, args []operand) (operand, error) {
	return truth(like(strings.ToUpper(name), args[0], args[1]))
}

// join returns a || b. It is only allowed for text: for arrays and jsonb it is
// something else.
func join(op string, left, right operand) (operand, error) {
	o, nodes, err := texts([]operand{left, right})
	o.node = infix(op, flat(op, nodes...)...)
	return o, err
}

// texts returns what is known of texts joined, and the node of each.
// NULL counts as nothing, which it is to concat; || yields NULL, which is no value
// that could do harm.
func texts(args []operand) (operand, []node, error) {
	all := operand{typ: "text", fixed: true, constant: constant{known: true, field: "where"}}
	nodes := make([]node, len(args))
	for i, o := range args {
		o, err := o.asText()
		if err != nil {
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

// merge returns COALESCE, GREATEST or LEAST.
func merge(name string, args []operand) (operand, error) {
	pointers := make([]*operand, len(args))
	for i := range args {
		pointers[i] = &args[i]
	}
	typ, err := unify(pointers...)
	if err != nil {
		return operand{}, err
	}
	all := operand{typ: typ, fixed: true}
	nodes := make([]node, len(args))
	for i, o := range args {
		all.fixed = all.fixed && o.fixed
		all.joined += o.joined
		nodes[i] = o.node
	}
	all.node = call(name, nodes...)
	return all, nil
}

// extreme returns GREATEST or LEAST, which ignore NULLs.
func extreme(name string, args []operand) (operand, error) {
	o, err := merge(name, args)
	if err == nil && !familyOf(o.typ).ordered() {
		err = errNoOrder(o.typ)
	}
	return o, err
}
