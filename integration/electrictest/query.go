package electrictest

import (
	"errors"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Query runs one SELECT of columns of one table, as in
//
//	SELECT id, title FROM documents WHERE archived = false ORDER BY title DESC LIMIT 5
//
// and returns the columns' names and the rows. A nil value is NULL. It is for people
// who look at what a table holds; expressions, joins and groups are not imitated.
func (d *Database) Query(sql string) (columns []string, rows [][]*string, err error) {
	tree, err := pg.Parse(sql)
	if err != nil {
		return nil, nil, err
	}
	if len(tree.Stmts) != 1 || tree.Stmts[0].Stmt.GetSelectStmt() == nil {
		return nil, nil, errors.New("one SELECT is needed")
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.catalog.query(tree.Stmts[0].Stmt.GetSelectStmt())
}

var errQuery = errors.New("only SELECT columns FROM table WHERE … ORDER BY columns LIMIT n is imitated")

func (c *catalog) query(n *pg.SelectStmt) (columns []string, rows [][]*string, err error) {
	from := n.FromClause
	if len(from) != 1 || from[0].GetRangeVar() == nil || n.GroupClause != nil || n.DistinctClause != nil || n.WithClause != nil || n.LimitOffset != nil {
		return nil, nil, errQuery
	}
	t, err := c.find(relationOf(from[0].GetRangeVar()))
	if err != nil {
		return nil, nil, err
	}
	selected, err := selectedOf(t.layout, n.TargetList)
	if err != nil {
		return nil, nil, err
	}
	keys, err := orderOf(t.layout, n.SortClause)
	if err != nil {
		return nil, nil, err
	}
	var matches []*row
	if err := eachMatch(t, n.WhereClause, nil, func(_ int, r *row) error {
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

// selectedOf returns the columns that a SELECT names, in its order.
func selectedOf(l *layout, targets []*pg.Node) ([]int, error) {
	var selected []int
	for _, target := range targets {
		fields := target.GetResTarget().GetVal().GetColumnRef().GetFields()
		if len(fields) == 1 && fields[0].GetAStar() != nil {
			for i := range l.columns {
				selected = append(selected, i)
			}
			continue
		}
		i, err := columnOf(l, fields)
		if err != nil {
			return nil, err
		}
		selected = append(selected, i)
	}
	return selected, nil
}

// columnOf returns the column that a reference names.
func columnOf(l *layout, fields []*pg.Node) (int, error) {
	if len(fields) != 1 || fields[0].GetString_() == nil {
		return 0, errQuery
	}
	return l.named(fields[0].GetString_().Sval)
}

// orderOf returns what an ORDER BY sorts by.
func orderOf(l *layout, by []*pg.Node) ([]sortKey, error) {
	var keys []sortKey
	for _, n := range by {
		i, err := columnOf(l, n.GetSortBy().GetNode().GetColumnRef().GetFields())
		if err != nil {
			return nil, err
		}
		descending := n.GetSortBy().SortbyDir == pg.SortByDir_SORTBY_DESC
		keys = append(keys, sortKey{i, l.columns[i].typ, descending, descending})
	}
	return keys, nil
}
