package issuers

import (
	"cmp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/shapegate/shapegate/schema"
)

// node is a value of the file, with the key that leads to it.
type node struct {
	key string
	ast.Node
}

// pair is one pair of a mapping.
type pair struct {
	name  string
	place ast.Node // of the name
	node
}

// pairs returns the pairs of a mapping in their order, each name once.
func (r *reader) pairs(n node) []pair {
	var values []*ast.MappingValueNode
	switch m := n.Node.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		r.fail(n.Node, n.key, "must be a mapping")
		return nil
	}
	var all []pair
	for _, v := range values {
		name, ok := v.Key.(*ast.StringNode)
		if !ok {
			r.fail(v.Key, n.key, "a key must be a string; anchors, aliases, merges and tags are not supported")
			continue
		}
		key := strings.TrimPrefix(n.key+"."+name.Value, ".")
		if slices.ContainsFunc(all, func(p pair) bool { return p.name == name.Value }) {
			r.fail(v.Key, key, "is a duplicate")
			continue
		}
		all = append(all, pair{name.Value, v.Key, node{key, v.Value}})
	}
	return all
}

// mapping returns the pairs of a mapping with known names, by name.
func (r *reader) mapping(n ast.Node, key string, known []string) map[string]node {
	byName := make(map[string]node)
	for _, p := range r.pairs(node{key, n}) {
		if !slices.Contains(known, p.name) {
			r.fail(p.place, p.key, "is not a known key%s", cmp.Or(schema.DidYouMean(p.name, known), " (known: "+strings.Join(known, ", ")+")"))
			continue
		}
		byName[p.name] = p.node
	}
	return byName
}

// text reads a string that is not empty.
func (r *reader) text(n node) string {
	value := ""
	switch s := n.Node.(type) {
	case *ast.StringNode:
		value = s.Value
	case *ast.LiteralNode:
		value = s.Value.Value
	default:
		r.fail(n.Node, n.key, "must be a string; quote it if it is meant as text")
		return ""
	}
	if value == "" {
		r.fail(n.Node, n.key, "is empty")
	}
	return value
}

func (r *reader) texts(n node) []string {
	list, ok := n.Node.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.fail(n.Node, n.key, "must be a list of strings")
		return nil
	}
	all := make([]string, len(list.Values))
	for i, v := range list.Values {
		all[i] = r.text(node{n.key, v})
	}
	return all
}

func (r *reader) boolean(n node) bool {
	b, ok := n.Node.(*ast.BoolNode)
	if !ok {
		r.fail(n.Node, n.key, "must be true or false")
		return false
	}
	return b.Value
}
