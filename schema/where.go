package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/shapegate/shapegate/schema/predicate"
)

// maxWhere bounds a static where, in bytes. It travels in the URL of every log
// read, percent-encoded beside the rest of the shape, and Electric takes request
// lines up to 10,000 bytes (recording 09).
const maxWhere = 3000

func readWhere(d *document, v value, params *params) *Where {
	text, ok := d.text(v)
	if !ok {
		return nil
	}
	where, errs := compileWhere(text)
	for _, err := range errs {
		d.failAt(v, "%v", err)
	}
	if where == nil {
		return nil
	}
	for _, name := range where.Params {
		params.use(v, name)
	}
	return where
}

// compileWhere turns the where of shapes.yaml, with its $names, into the one
// that is sent upstream. There is no Where if there are errors, except that
// Params are set if they could be read.
func compileWhere(text string) (*Where, []error) {
	if len(text) > maxWhere {
		return nil, []error{fmt.Errorf("is longer than %d bytes", maxWhere)}
	}
	numbered, names, err := numberParams(text)
	if err != nil {
		return nil, []error{err}
	}
	where := &Where{Params: names}
	tree, err := predicate.Parse(numbered)
	if err != nil {
		return where, []error{err}
	}
	var allowed allowList
	allowed.expression(tree)
	if len(allowed.errs) > 0 {
		return where, allowed.errs
	}
	where.SQL, err = predicate.Conjunct(tree)
	if err != nil {
		return where, []error{err}
	}
	return where, nil
}

// numberParams replaces each $name by $1, $2, …, one number per name. What is
// quoted is left alone: Postgres' own lexer says what is.
func numberParams(text string) (string, []string, error) {
	tokens, err := predicate.Tokens(text)
	if err != nil {
		return "", nil, err
	}
	var names []string
	var numbered strings.Builder
	end := int32(0) // of what is in numbered
	for i, token := range tokens {
		switch {
		case token.Token == pg.Token_PARAM:
			return "", nil, fmt.Errorf("%s: params are named, as in $project", text[token.Start:token.End])
		case token.Token == pg.Token_SCONST && text[token.Start] == '$':
			return "", nil, errors.New("dollar-quoted strings are not allowed")
		case token.Token != pg.Token_ASCII_36:
			continue
		}
		name := ""
		if i+1 < len(tokens) && tokens[i+1].Start == token.End {
			name = text[tokens[i+1].Start:tokens[i+1].End]
		}
		if !paramName.MatchString(name) {
			return "", nil, fmt.Errorf("a $ must be followed by the name of a param, which matches %s", paramName)
		}
		number := slices.Index(names, name)
		if number < 0 {
			number = len(names)
			names = append(names, name)
		}
		numbered.WriteString(text[end:token.Start])
		fmt.Fprintf(&numbered, "$%d", number+1)
		end = tokens[i+1].End
	}
	numbered.WriteString(text[end:])
	return numbered.String(), names, nil
}

// columnOf returns the name of an unqualified column, or nothing.
func columnOf(node *pg.Node) string {
	reference := node.GetColumnRef()
	if reference == nil || len(reference.Fields) != 1 {
		return ""
	}
	return reference.Fields[0].GetString_().GetSval()
}
