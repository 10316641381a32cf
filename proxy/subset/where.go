package subset

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/shapegate/shapegate/schema/predicate"
)

// Where is a client's condition: a tree of what is allowed, and nothing else.
type Where struct {
	root   node
	params []string // the values, in the order of their numbers
}

// SQL prints the condition: one boolean expression in parentheses, or an atom,
// with every $n written as $(n+shift). The values are in Request.UpstreamParams.
func (w *Where) SQL(shift int) string {
	sql, _ := sqlOf(w.root, shift)
	return sql
}

func parseWhere(sql string, params map[int]string, table *Table) (*Where, error) {
	s, err := statements.parse(sql)
	if err != nil {
		return nil, err
	}
	r := &reader{scope{table: table, values: params}}
	w := &Where{}
	if w.root, err = r.condition(s.tree); err != nil {
		return nil, err
	}
	if err := s.survives(filled(w.root)); err != nil {
		return nil, err
	}
	_, w.params = sqlOf(w.root, 0)
	return w, nil
}

// survives makes sure that Electric's way with a where, which is to parse it, to
// put casts of the values in place of the parameters and to print it again, leaves
// it what it is when it stands beside a filter. See the package's documentation.
func survives(printed string) error {
	filter := `("a" = ANY('{}'::uuid[]) OR "b" = ANY('{}'::text[]))`
	sent, err := pg.Parse(wherePrefix + filter + " AND (" + printed + ")")
	if err != nil {
		return refuseWhere("cannot be printed")
	}
	text, err := pg.Deparse(sent)
	if err != nil {
		return refuseWhere("cannot be printed")
	}
	where := sent.Stmts[0].Stmt.GetSelectStmt().WhereClause
	if sql, ok := strings.CutPrefix(text, wherePrefix); ok {
		if run, err := parseExpression(sql); err == nil && predicate.Equal(where, run) {
			return nil
		}
	}
	return refuseWhere("does not keep its meaning when it is printed")
}
