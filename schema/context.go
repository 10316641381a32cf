package schema

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// caveatParam is what a parameter of a caveat may be called.
var caveatParam = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,127}$`)

// maxExact is the largest integer that a JSON number distinguishes from its neighbours.
const maxExact = 1 << 53

// contextReader reads the context that a shape gives to caveats.
type contextReader struct{ *document }

func (r contextReader) context(v value) map[string]ContextValue {
	entries, ok := r.mapping(v)
	if !ok {
		return nil
	}
	context := make(map[string]ContextValue, len(entries))
	for _, e := range entries {
		if !caveatParam.MatchString(e.name) {
			r.fail(e.key, e.at, "is no name for a parameter of a caveat")
		}
		context[e.name] = r.value(e)
	}
	return context
}

func (r contextReader) value(e entry) ContextValue {
	switch e.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		f, _ := r.fields(e.value, e.at, constantKeys)
		v, ok := f["value"]
		if !ok {
			return ContextValue{}
		}
		return ContextValue{Source: Literal, Value: r.literal(v.value)}
	case *ast.StringNode, *ast.LiteralNode:
	default:
		r.failAt(e.value, "is %s, where a source should stand: claims.…, request.ip or request.time; a constant is written {value: …}", kind(e.node))
		return ContextValue{}
	}
	text, _ := r.text(e.value)
	switch path, isClaim := strings.CutPrefix(text, "claims."); {
	case text == "request.ip":
		return ContextValue{Source: RequestIP}
	case text == "request.time":
		return ContextValue{Source: RequestTime}
	case isClaim:
		return ContextValue{Source: Claim, Path: r.claimPath(e.value, path)}
	case strings.HasPrefix(text, "request."):
		r.failAt(e.value, "%q is not known of a request%s", text, didYouMean(text, []string{"request.ip", "request.time"}))
	default:
		r.failAt(e.value, "%q is not a source: claims.…, request.ip or request.time; a constant is written {value: …}", text)
	}
	return ContextValue{}
}

func (r contextReader) claimPath(v value, path string) []string {
	steps, ok := readClaimPath(path)
	switch {
	case !ok:
		r.failAt(v, `%q does not name a claim: write claims.a.b, with a name that has dots in quotes, as in claims."https://example.com/roles"`, "claims."+path)
	case strings.Contains(path, "://") && !strings.Contains(path, `"`):
		r.failAt(v, "%q is read as names with dots between them; put a name that has dots in quotes, as in claims.%q", "claims."+path, path)
	}
	return steps
}

// literal reads a constant: what JSON can say, with integers as int64.
func (r contextReader) literal(v value) any {
	switch node := v.node.(type) {
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return node.Value
	case *ast.StringNode, *ast.LiteralNode:
		text, _ := r.text(v)
		return text
	case *ast.FloatNode:
		if !math.IsInf(node.Value, 0) && !math.IsNaN(node.Value) {
			return node.Value
		}
	case *ast.IntegerNode:
		switch n := node.Value.(type) {
		case int64:
			if n >= -maxExact && n <= maxExact {
				return n
			}
		case uint64:
			if n <= maxExact {
				return int64(n)
			}
		}
		r.failAt(v, "the integer cannot be sent exactly; write it as a string")
		return nil
	case *ast.SequenceNode:
		items := make([]any, len(node.Values))
		for i, item := range node.Values {
			items[i] = r.literal(value{key: fmt.Sprintf("%s[%d]", v.key, i), node: item})
		}
		return items
	case *ast.MappingNode, *ast.MappingValueNode:
		entries, _ := r.mapping(v)
		object := make(map[string]any, len(entries))
		for _, e := range entries {
			object[e.name] = r.literal(e.value)
		}
		return object
	}
	r.failAt(v, "is not a value that SpiceDB can be sent")
	return nil
}
