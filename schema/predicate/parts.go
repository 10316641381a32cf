package predicate

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Columns returns the names of the unqualified columns that an expression speaks of: each
// once, in its order.
func Columns(node *pg.Node) []string {
	var names []string
	walk(node.ProtoReflect(), func(n *pg.Node) {
		if name := columnOf(n); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	return names
}

// Params returns the numbers of the params that an expression speaks of.
func Params(node *pg.Node) []int {
	var numbers []int
	walk(node.ProtoReflect(), func(n *pg.Node) {
		if p := n.GetParamRef(); p != nil {
			numbers = append(numbers, int(p.Number))
		}
	})
	return numbers
}

// Conjuncts returns what a top-level AND joins, or the expression alone.
func Conjuncts(node *pg.Node) []*pg.Node {
	if isBool(node, pg.BoolExprType_AND_EXPR) {
		return node.GetBoolExpr().Args
	}
	return []*pg.Node{node}
}

// walk visits each node of a tree.
func walk(message protoreflect.Message, visit func(*pg.Node)) {
	if node, ok := message.Interface().(*pg.Node); ok {
		visit(node)
	}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		eachMessage(field, value, func(child protoreflect.Message) { walk(child, visit) })
		return true
	})
}
