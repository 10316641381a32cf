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

func (d *document) where(v value, params *params) *Where {
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
		params.use(d, v, name)
	}
	return where
}

// compileWhere turns the where of shapes.yaml, with its $names, into the one
// that is sent upstream. There is no Where if there are errors, except that
// Params are told if they could be read.
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
	where.SQL, err = conjunct(tree)
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

// conjunct prints tree so that it stays whole when more is put behind it.
//
// Electric 1.7.12 prints the where of a shape from its tree, which loses outer
// parentheses, and makes a subset's query of it as
//
//	WHERE <where> AND (<subset's where>)
//
// without parentheses around the first. With an OR at the top of it, every row
// that matches its left side would be in every subset, whatever ids the subset
// asks for: a leak past all grants. So a where that is an OR becomes
// (<where>) AND true, whose parentheses the tree needs and the printer keeps.
func conjunct(tree *pg.Node) (string, error) {
	sql, err := predicate.Print(tree)
	if err != nil {
		return "", err
	}
	if isBool(tree, pg.BoolExprType_OR_EXPR) {
		sql = "(" + sql + ") AND true"
	}
	if err := checkConjunct(sql); err != nil {
		return "", err
	}
	return sql, nil
}

// checkConjunct does to sql what Electric does: print it from its tree, and glue
// a condition behind it. The whole must then be an AND that ends with this
// condition and has nothing but sql in front of it.
func checkConjunct(sql string) error {
	tree, err := predicate.Parse(sql)
	if err != nil {
		return err
	}
	printed, err := predicate.Print(tree)
	if err != nil {
		return err
	}
	glued, err := predicate.Parse(printed + " AND (shapegate_subset)")
	if err != nil {
		return err
	}
	and := glued.GetBoolExpr()
	if !isBool(glued, pg.BoolExprType_AND_EXPR) || columnOf(and.Args[len(and.Args)-1]) != "shapegate_subset" {
		return errors.New("the expression does not stay whole when a condition is put behind it; put it in parentheses")
	}
	front := and.Args[0]
	if len(and.Args) > 2 {
		and.Args = and.Args[:len(and.Args)-1]
		front = glued
	}
	if !predicate.Equal(front, tree) {
		return errors.New("the expression changes when a condition is put behind it; put it in parentheses")
	}
	return nil
}

func isBool(node *pg.Node, op pg.BoolExprType) bool {
	expression := node.GetBoolExpr()
	return expression != nil && expression.Boolop == op
}

// columnOf returns the name of an unqualified column, or nothing.
func columnOf(node *pg.Node) string {
	reference := node.GetColumnRef()
	if reference == nil || len(reference.Fields) != 1 {
		return ""
	}
	return reference.Fields[0].GetString_().GetSval()
}
