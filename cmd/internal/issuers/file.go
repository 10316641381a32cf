// Package issuers reads the file of several issuers of tokens, which SHAPEGATE_ISSUERS
// names. Verifying is package identity's.
//
// The file is as strict as shapes.yaml: a key that is not known is an error, and so are
// YAML's anchors, aliases, merges and tags. All that is wrong is said at once, each with
// its place.
package issuers

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/schema"
)

// Issuer is one issuer of the file.
type Issuer struct {
	Name string // what the file calls it
	identity.Config
}

// Load reads the file at path. See Parse.
func Load(path string, getenv func(string) string) ([]Issuer, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the issuers of tokens: %w", err)
	}
	return Parse(path, data, getenv)
}

// Parse reads issuers in YAML and returns them in the order of the file. filename is used in
// errors only, and getenv finds secrets. If anything is wrong there are no issuers, and the
// error joins a *schema.Error for each thing that is. No error has a secret, or the URL of
// a key set.
func Parse(filename string, data []byte, getenv func(string) string) ([]Issuer, error) {
	r := &reader{file: filename, getenv: getenv}
	all := r.read(data)
	if len(r.errs) > 0 {
		return nil, r.err()
	}
	return all, nil
}

// reader collects what is wrong, instead of stopping at it.
type reader struct {
	file   string
	getenv func(string) string
	errs   []*schema.Error
}

func (r *reader) fail(at ast.Node, key, format string, args ...any) {
	var t *token.Token
	if at != nil {
		t = at.GetToken()
	}
	r.failAt(t, key, format, args...)
}

func (r *reader) failAt(at *token.Token, key, format string, args ...any) {
	e := &schema.Error{File: r.file, Key: key, Message: fmt.Sprintf(format, args...)}
	if at != nil && at.Position != nil {
		e.Line, e.Column = at.Position.Line, at.Position.Column
	}
	r.errs = append(r.errs, e)
}

func (r *reader) err() error {
	slices.SortStableFunc(r.errs, func(a, b *schema.Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	all := make([]error, len(r.errs))
	for i, e := range r.errs {
		all[i] = e
	}
	return errors.Join(all...)
}

func (r *reader) read(data []byte) []Issuer {
	tree, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if syntax := (*yaml.SyntaxError)(nil); errors.As(err, &syntax) {
		r.failAt(syntax.Token, "", "%s", syntax.Message)
		return nil
	}
	if err != nil {
		r.fail(nil, "", "%v", err)
		return nil
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		r.fail(nil, "issuers", "is missing: the file is empty, or has several documents")
		return nil
	}
	top := r.mapping(tree.Docs[0].Body, "", []string{"issuers"})
	list, ok := top["issuers"]
	if !ok {
		if len(r.errs) == 0 {
			r.fail(tree.Docs[0].Body, "issuers", "is missing")
		}
		return nil
	}
	return r.issuers(list)
}
