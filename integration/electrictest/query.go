package electrictest

import (
	"errors"
	"fmt"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Query runs one SELECT of columns of one table, as in
//
//	SELECT id, title FROM documents WHERE archived = false ORDER BY title DESC LIMIT 5
//
// and returns the columns' names and the rows. A nil value is NULL. It is for people
// who look at what a table holds; expressions, joins and groups are not imitated.
func (s *Server) Query(sql string) (columns []string, rows [][]*string, err error) {
	tree, err := pg.Parse(sql)
	if err != nil {
		return nil, nil, err
	}
	if len(tree.Stmts) != 1 || tree.Stmts[0].Stmt.GetSelectStmt() == nil {
		return nil, nil, errors.New("one SELECT is needed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return sqlTx{Tx: &Tx{s: s}}.query(tree.Stmts[0].Stmt.GetSelectStmt())
}

var errQuery = errors.New("only SELECT columns FROM table WHERE … ORDER BY columns LIMIT n is imitated")

func (tx sqlTx) query(n *pg.SelectStmt) (columns []string, rows [][]*string, err error) {
	from := n.FromClause
	if len(from) != 1 || from[0].GetRangeVar() == nil || n.GroupClause != nil || n.DistinctClause != nil || n.WithClause != nil || n.LimitOffset != nil {
		return nil, nil, errQuery
	}
	t, err := tx.relation(relationOf(from[0].GetRangeVar()))
	if err != nil {
		return nil, nil, err
	}
	selected, err := t.selected(n.TargetList)
	if err != nil {
		return nil, nil, err
	}
	keys, err := t.order(n.SortClause)
	if err != nil {
		return nil, nil, err
	}
	var matches []*row
	if err := tx.eachMatch(t, n.WhereClause, func(_ int, r *row) error {
		matches = append(matches, r)
		return nil
	}); err != nil {
		return nil, nil, err
	}
	sortRows(matches, keys)
	if n.LimitCount != nil && n.LimitCount.GetAConst().GetIval() == nil {
		return nil, nil, errQuery
	} else if n.LimitCount != nil {
		matches = matches[:min(len(matches), int(n.LimitCount.GetAConst().GetIval().GetIval()))]
	}
	for _, i := range selected {
		columns = append(columns, t.columns[i].name)
	}
	for _, r := range matches {
		values := make([]*string, len(selected))
		for k, i := range selected {
			if c := r.cells[i]; !c.null() {
				values[k] = &c.text
			}
		}
		rows = append(rows, values)
	}
	return columns, rows, nil
}

// selected returns the columns that a SELECT names, in its order.
func (t *table) selected(targets []*pg.Node) ([]int, error) {
	var selected []int
	for _, target := range targets {
		fields := target.GetResTarget().GetVal().GetColumnRef().GetFields()
		if len(fields) == 1 && fields[0].GetAStar() != nil {
			for i := range t.columns {
				selected = append(selected, i)
			}
			continue
		}
		i, err := t.named(fields)
		if err != nil {
			return nil, err
		}
		selected = append(selected, i)
	}
	return selected, nil
}

// named returns the column that a reference names.
func (t *table) named(fields []*pg.Node) (int, error) {
	if len(fields) != 1 || fields[0].GetString_() == nil {
		return 0, errQuery
	}
	name := fields[0].GetString_().Sval
	i, ok := t.byName[name]
	if !ok {
		return 0, fmt.Errorf("column %q does not exist", name)
	}
	return i, nil
}

// order returns what an ORDER BY sorts by.
func (t *table) order(by []*pg.Node) ([]sortKey, error) {
	var keys []sortKey
	for _, n := range by {
		i, err := t.named(n.GetSortBy().GetNode().GetColumnRef().GetFields())
		if err != nil {
			return nil, err
		}
		descending := n.GetSortBy().SortbyDir == pg.SortByDir_SORTBY_DESC
		keys = append(keys, sortKey{i, t.columns[i].typ, descending, descending})
	}
	return keys, nil
}
