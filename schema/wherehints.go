package schema

import (
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/shapegate/shapegate/schema/predicate"
)

// WhereHints reports the static wheres that Electric 1.7.12 cannot index. It finds the logs
// that a change concerns by an index of column = constant, constant = ANY(column) and
// column @> array; a log without any of these it compares with each change of the table.
//
// Where a shape has params each of their values is a log, so one of them has to be in what
// is indexed.
func WhereHints(shapes []Shape) []*Error {
	var hints []*Error
	for _, shape := range shapes {
		if shape.Where == nil {
			continue
		}
		tree, err := predicate.Parse(shape.Where.SQL)
		if err != nil {
			continue // Parse has had it as an error
		}
		indexed := indexedConjuncts(tree)
		hint := ""
		switch {
		case len(indexed) == 0:
			hint = "Electric has no index for this where, and compares it with each change of the table: join column = constant to it by AND"
		case len(shape.Where.Params) > 0 && !slices.ContainsFunc(indexed, func(n *pg.Node) bool { return len(predicate.Params(n)) > 0 }):
			hint = fmt.Sprintf("Electric has an index for parts of this where that have no param, and compares the logs of all values of $%s with each change: compare one by column = $%s",
				strings.Join(shape.Where.Params, ", $"), shape.Where.Params[0])
		}
		if hint != "" {
			e := errorf(shape.origin, "shapes."+shape.Name+".where", "%s", hint)
			hints = append(hints, e)
		}
	}
	return hints
}

// indexedConjuncts returns those parts of a where that Electric can index: each that an AND
// joins, or an OR of such alone, since Electric does not look into an OR beside an AND.
func indexedConjuncts(where *pg.Node) []*pg.Node {
	conjuncts := predicate.Conjuncts(where)
	if len(conjuncts) == 1 && isIndexedList(where) {
		return conjuncts
	}
	return slices.DeleteFunc(slices.Clone(conjuncts), func(n *pg.Node) bool { return !isIndexed(n) })
}

// isIndexedList reports whether an expression is column IN (constants), which Electric reads
// as an OR.
func isIndexedList(node *pg.Node) bool {
	e := node.GetAExpr()
	return e != nil && e.Kind == pg.A_Expr_Kind_AEXPR_IN && qualifiedName(e.Name) == "=" && columnOf(e.Lexpr) != "" && isConstant(e.Rexpr)
}

// isIndexed reports whether Electric has an index for a comparison.
func isIndexed(node *pg.Node) bool {
	e := node.GetAExpr()
	if e == nil {
		return false
	}
	between := func(column, constant *pg.Node) bool { return columnOf(column) != "" && isConstant(constant) }
	switch name := qualifiedName(e.Name); {
	case e.Kind == pg.A_Expr_Kind_AEXPR_OP_ANY:
		return name == "=" && between(e.Rexpr, e.Lexpr)
	case e.Kind != pg.A_Expr_Kind_AEXPR_OP || e.Lexpr == nil:
		return false
	case name == "=":
		return between(e.Lexpr, e.Rexpr) || between(e.Rexpr, e.Lexpr)
	case name == "@>":
		return between(e.Lexpr, e.Rexpr) && !isJSON(e.Rexpr)
	case name == "<@":
		return between(e.Rexpr, e.Lexpr) && !isJSON(e.Lexpr)
	}
	return false
}

// isConstant reports whether an expression speaks of no column. Electric computes it once.
func isConstant(node *pg.Node) bool { return len(predicate.Columns(node)) == 0 }

// isJSON reports whether a constant is jsonb, whose containment has no index.
func isJSON(node *pg.Node) bool {
	return strings.TrimPrefix(qualifiedName(node.GetTypeCast().GetTypeName().GetNames()), "pg_catalog.") == "jsonb"
}
