package predicate

import (
	"errors"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Conjunct prints node so that it stays whole when more is put behind it.
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
func Conjunct(node *pg.Node) (string, error) {
	sql, err := Print(node)
	if err != nil {
		return "", err
	}
	if isBool(node, pg.BoolExprType_OR_EXPR) {
		sql = "(" + sql + ") AND true"
	}
	if err := CheckConjunct(sql); err != nil {
		return "", err
	}
	return sql, nil
}

// CheckConjunct does to sql what Electric does: print it from its tree, and glue a
// condition behind it. It is an error unless the whole is then an AND that ends
// with this condition and has nothing but sql in front of it.
func CheckConjunct(sql string) error {
	tree, err := Parse(sql)
	if err != nil {
		return err
	}
	printed, err := Print(tree)
	if err != nil {
		return err
	}
	glued, err := Parse(printed + " AND (shapegate_subset)")
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
	if !Equal(front, tree) {
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
