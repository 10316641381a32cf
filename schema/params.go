package schema

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// paramName is what a param may be called: a word in a URL's query and, behind a
// dollar sign, in a where.
var paramName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// protocolParams are the query keys of Electric's protocol (and those that a
// server of it takes), which a shape cannot have for its own. Keys with a dash
// or in brackets are no param names anyway.
var protocolParams = []string{
	"api_secret", "columns", "cursor", "database_id", "expired_handle", "experimental_compaction",
	"experimental_live_sse", "handle", "live", "live_sse", "log", "offset", "params", "queryable_columns",
	"replica", "secret", "shape_definition", "table", "where",
}

// subsetPrefix begins the keys of a subset in a query.
const subsetPrefix = "subset__"

// params are the declared params of a shape, and which of them are used.
type params struct {
	document *document
	declared []entry
	used     map[string]bool
}

func readParams(d *document, f map[string]entry) *params {
	p := &params{document: d, used: map[string]bool{}}
	e, ok := f["params"]
	if !ok {
		return p
	}
	entries, _ := d.mapping(e.value)
	for _, param := range entries {
		if err := CheckParam(param.name); err != nil {
			d.fail(param.key, param.at, "%v", err)
		}
		checkNoKeys(d, param.value)
		p.declared = append(p.declared, param)
	}
	return p
}

// CheckParam reports whether a param can have this name.
func CheckParam(name string) error {
	switch {
	case !paramName.MatchString(name):
		return fmt.Errorf("is no name for a param: it must match %s", paramName)
	case slices.Contains(protocolParams, name) || strings.HasPrefix(name, subsetPrefix):
		return errors.New("is a word of Electric's protocol, so it cannot be a param")
	}
	return nil
}

// checkNoKeys reports whatever stands in a mapping that has no keys yet.
func checkNoKeys(d *document, v value) {
	switch node := v.node.(type) {
	case nil, *ast.NullNode:
		d.failAt(v, "must be a mapping: write {}")
	case *ast.MappingNode:
		for _, pair := range node.Values {
			key, _ := keyName(pair.Key)
			d.fail(v.key+"."+key, placeOf(pair.Key.GetToken()), "is not a known key: a param has none")
		}
	default:
		d.mapping(v)
	}
}

// use notes that the value v speaks of the param called name.
func (p *params) use(v value, name string) {
	p.used[name] = true
	var names []string
	for _, param := range p.declared {
		if param.name == name {
			return
		}
		names = append(names, param.name)
	}
	p.document.failAt(v, "$%s is not declared under params%s", name, didYouMean(name, names))
}

// finish reports params that nothing uses, and returns the names of all, sorted.
func (p *params) finish() []string {
	var names []string
	for _, param := range p.declared {
		if !p.used[param.name] {
			p.document.fail(param.key, param.at, "is declared and never used")
		}
		names = append(names, param.name)
	}
	slices.Sort(names)
	return names
}
