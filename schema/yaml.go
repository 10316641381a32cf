package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// position is a place in a file, counted from 1.
type position struct{ line, column int }

// positions maps a key (shapes.documents.table) to the place of its value.
type positions struct {
	file string
	at   map[string]position
}

// document reads a YAML tree, keeps where each key stands, and collects what is
// wrong instead of stopping at it.
//
// Anchors, aliases, merges and tags are refused: a file that says who may see
// what should be readable from top to bottom.
type document struct {
	positions
	errs []*Error
}

// value is a node with the key that leads to it.
type value struct {
	key  string
	node ast.Node
}

// entry is one pair of a mapping.
type entry struct {
	name string
	at   position // of the name
	value
}

func openDocument(file string, data []byte) (*document, value, bool) {
	d := &document{positions: positions{file: file, at: map[string]position{}}}
	tree, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil {
			d.fail("", placeOf(syntax.Token), "%s", syntax.Message)
		} else {
			d.fail("", position{}, "%v", err)
		}
		return d, value{}, false
	}
	var root ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			d.fail("", placeOf(doc.Body.GetToken()), "a second document; one is read")
			return d, value{}, false
		}
		root = doc.Body
	}
	if root == nil {
		d.fail("shapes", position{1, 1}, "is missing: the file is empty")
		return d, value{}, false
	}
	return d, value{node: root}, true
}

func placeOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}

// place returns where a value stands; a mapping stands where its first key does.
func (v value) place() position {
	if mapping, ok := v.node.(*ast.MappingNode); ok && !mapping.IsFlowStyle && len(mapping.Values) > 0 {
		return placeOf(mapping.Values[0].Key.GetToken())
	}
	if pair, ok := v.node.(*ast.MappingValueNode); ok {
		return placeOf(pair.Key.GetToken())
	}
	if v.node == nil {
		return position{}
	}
	return placeOf(v.node.GetToken())
}

func (d *document) fail(key string, at position, format string, args ...any) {
	d.errs = append(d.errs, &Error{
		File: d.file, Line: at.line, Column: at.column, Key: key, Message: fmt.Sprintf(format, args...),
	})
}

// failAt reports an error at v.
func (d *document) failAt(v value, format string, args ...any) {
	d.fail(v.key, v.place(), format, args...)
}

// kind names what a node is, for people.
func kind(node ast.Node) string {
	switch node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.StringNode, *ast.LiteralNode:
		return "a string"
	case *ast.BoolNode:
		return "a boolean"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias, which are not supported"
	case *ast.TagNode:
		return "a tag, which is not supported"
	default:
		return "something else"
	}
}

// mapping returns the pairs of v, each name once. If known is not empty, other
// names are errors. False means that v is no mapping at all.
func (d *document) mapping(v value, known ...string) ([]entry, bool) {
	var pairs []*ast.MappingValueNode
	switch node := v.node.(type) {
	case *ast.MappingNode:
		pairs = node.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{node}
	default:
		d.failAt(v, "must be a mapping, is %s", kind(v.node))
		return nil, false
	}
	var entries []entry
	seen := map[string]position{}
	for _, pair := range pairs {
		at := placeOf(pair.Key.GetToken())
		name, ok := keyName(pair.Key)
		if !ok {
			d.fail(v.key, at, "a key must be a string; anchors, aliases, merges and tags are not supported")
			continue
		}
		key := below(v.key, name)
		if first, again := seen[name]; again {
			d.fail(key, at, "is a duplicate: it stands in line %d already", first.line)
			continue
		}
		seen[name] = at
		if len(known) > 0 && !slices.Contains(known, name) {
			d.fail(key, at, "is not a known key%s", cmp.Or(didYouMean(name, known), " (known: "+strings.Join(known, ", ")+")"))
			continue
		}
		e := entry{name: name, at: at, value: value{key: key, node: pair.Value}}
		d.at[key] = cmp.Or(e.place(), at)
		entries = append(entries, e)
	}
	return entries, true
}

// keyName returns the text of a key. YAML reads some words as something else
// than a string (true, null, 1): as keys they are just words.
func keyName(key ast.MapKeyNode) (string, bool) {
	switch node := key.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.BoolNode, *ast.NullNode, *ast.IntegerNode, *ast.FloatNode:
		return key.GetToken().Value, true
	default:
		return "", false
	}
}

// below returns the key of a name in the mapping at parent.
func below(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// fields reads a mapping that has known keys, and returns its pairs by name. A key that
// it needs and has not is reported at the given place.
func (d *document) fields(v value, at position, known keys) (map[string]entry, bool) {
	entries, ok := d.mapping(v, known.names()...)
	if !ok {
		return nil, false
	}
	fields := make(map[string]entry, len(entries))
	for _, e := range entries {
		fields[e.name] = e
	}
	for _, key := range known {
		if _, ok := fields[key.name]; key.required && !ok {
			d.fail(below(v.key, key.name), at, "is missing")
		}
	}
	return fields, true
}

// text reads a string.
func (d *document) text(v value) (string, bool) {
	switch node := v.node.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.LiteralNode:
		if node.Value != nil {
			return node.Value.Value, true
		}
	}
	hint := ""
	switch v.node.(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.NullNode:
		hint = "; quote it if it is meant as text"
	}
	d.failAt(v, "must be a string, is %s%s", kind(v.node), hint)
	return "", false
}

// choice reads one of some words, and reports anything else and returns "". what is the
// noun for the words, with its article: a consistency.
func (d *document) choice(v value, what string, words ...string) string {
	text, ok := d.text(v)
	if ok && !slices.Contains(words, text) {
		d.failAt(v, "%q is not %s%s", text, what, cmp.Or(didYouMean(text, words), ": "+strings.Join(words, " or ")))
		return ""
	}
	return text
}

// list reads a list that is not empty.
func (d *document) list(v value) ([]value, bool) {
	sequence, ok := v.node.(*ast.SequenceNode)
	if !ok {
		d.failAt(v, "must be a list, is %s", kind(v.node))
		return nil, false
	}
	if len(sequence.Values) == 0 {
		d.failAt(v, "is empty")
		return nil, false
	}
	values := make([]value, len(sequence.Values))
	for i, node := range sequence.Values {
		values[i] = value{key: fmt.Sprintf("%s[%d]", v.key, i), node: node}
		d.at[values[i].key] = values[i].place()
	}
	return values, true
}
