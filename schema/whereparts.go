package schema

import (
	"cmp"
	"fmt"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/shapegate/shapegate/schema/predicate"
)

// Columns returns the columns that the where names, each once.
func (w *Where) Columns() []string {
	tree, err := predicate.Parse(w.SQL)
	if err != nil {
		return nil // Parse has had it as an error
	}
	return predicate.Columns(tree)
}

// Fixed returns the parts of the where that its top-level AND joins and that have no param,
// each as SQL.
func (w *Where) Fixed() []string {
	tree, err := predicate.Parse(w.SQL)
	if err != nil {
		return nil
	}
	var parts []string
	for _, part := range predicate.Conjuncts(tree) {
		if len(predicate.Params(part)) > 0 {
			continue
		}
		if sql, err := predicate.Conjunct(part); err == nil {
			parts = append(parts, sql)
		}
	}
	return parts
}

// ComparedTo returns the column that the where compares by column = $param, or "".
func (w *Where) ComparedTo(param string) string {
	tree, err := predicate.Parse(w.SQL)
	if err != nil {
		return ""
	}
	isParam := func(node *pg.Node) bool {
		p := node.GetParamRef()
		return p != nil && w.Params[p.Number-1] == param
	}
	for _, part := range predicate.Conjuncts(tree) {
		e := part.GetAExpr()
		switch {
		case e == nil || e.Kind != pg.A_Expr_Kind_AEXPR_OP || qualifiedName(e.Name) != "=":
		case isParam(e.Rexpr) && columnOf(e.Lexpr) != "":
			return columnOf(e.Lexpr)
		case isParam(e.Lexpr) && columnOf(e.Rexpr) != "":
			return columnOf(e.Rexpr)
		}
	}
	return ""
}

const whereRemedy = "use the columns of the table, and the operators and functions that Electric has for their types"

// RefusedWhere is the finding that Electric does not accept a part of the where; empty: it
// is not known which.
func (s Shape) RefusedWhere(part string) Finding {
	return s.finding("where", "", fmt.Sprintf("Electric does not accept %s", cmp.Or(part, "the where")), whereRemedy)
}

// noWhereColumn is the finding that the table has no column that the where names.
func (s Shape) noWhereColumn(name string) Finding {
	return s.finding("where", name, fmt.Sprintf("the where names the column %q, which the table %s does not have%s", name, s.Table, didYouMean(name, s.Columns)), "name a column that there is")
}
