package subset

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// parseClause parses prefix+sql, where the prefix makes a statement of a clause,
// and returns the SELECT. The text is not put into parentheses: then "true) or
// (true" would be a where.
func parseClause(field, prefix, sql string) (*pg.SelectStmt, error) {
	tree, err := pg.Parse(prefix + sql)
	if err != nil {
		return nil, refuse(field, "is not one SQL expression")
	}
	if len(tree.Stmts) != 1 || tree.Stmts[0].GetStmt().GetSelectStmt() == nil {
		return nil, refuse(field, "is not one SQL expression")
	}
	return tree.Stmts[0].Stmt.GetSelectStmt(), nil
}

// selectOne is what SELECT 1 parses to: the part of a statement that is not a
// client's.
var selectOne = &pg.SelectStmt{
	TargetList: []*pg.Node{{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{
		Val:      &pg.Node{Node: &pg.Node_AConst{AConst: &pg.A_Const{Val: &pg.A_Const_Ival{Ival: &pg.Integer{Ival: 1}}, Location: 7}}},
		Location: 7,
	}}}},
	LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT,
	Op:          pg.SetOperation_SETOP_NONE,
}

// isSelectOne reports whether nothing is left of a statement, its clause taken
// out, but SELECT 1: no further clause came in behind the expression.
func isSelectOne(rest *pg.SelectStmt) bool { return proto.Equal(rest, selectOne) }

// wherePrefix makes a statement of a where. libpg_query prints it back as it is.
const wherePrefix = "SELECT 1 WHERE "

// parseExpression parses the text of a where.
func parseExpression(sql string) (*pg.Node, error) {
	s, err := parseClause("where", wherePrefix, sql)
	if err != nil {
		return nil, err
	}
	where := s.WhereClause
	s.WhereClause = nil
	if where == nil || !isSelectOne(s) {
		return nil, refuse("where", "is not one SQL expression")
	}
	return where, nil
}

// parseSort parses the text of an order_by.
func parseSort(sql string) ([]*pg.Node, error) {
	s, err := parseClause("order_by", "SELECT 1 ORDER BY ", sql)
	if err != nil {
		return nil, err
	}
	sort := s.SortClause
	s.SortClause = nil
	if len(sort) == 0 || !isSelectOne(s) {
		return nil, refuse("order_by", "is not a list of columns")
	}
	return sort, nil
}
