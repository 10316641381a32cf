package electrictest

import (
	"errors"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (tx sqlTx) insertStmt(n *pg.InsertStmt) error {
	t, err := tx.db.catalog.find(relationOf(n.Relation))
	if err != nil {
		return err
	}
	columns, err := insertColumns(t, n.Cols)
	if err != nil {
		return err
	}
	ignore := n.OnConflictClause != nil
	if ignore && n.OnConflictClause.Action != pg.OnConflictAction_ONCONFLICT_NOTHING {
		return errors.New("ON CONFLICT DO UPDATE is not imitated")
	}
	add := func(exprs []*expr, cells []cell) error {
		err := tx.insertExprs(t, columns, exprs, cells)
		var duplicate *duplicateKeyError
		if ignore && errors.As(err, &duplicate) {
			return nil
		}
		return err
	}
	sel := n.SelectStmt.GetSelectStmt()
	switch {
	case sel == nil: // DEFAULT VALUES
		return add(nil, nil)
	case len(sel.ValuesLists) > 0:
		for _, list := range sel.ValuesLists {
			exprs, err := valueExprs(list.GetList().GetItems(), scope{column: noColumn, key: -1}, tx.params)
			if err != nil {
				return err
			}
			if err := add(exprs, nil); err != nil {
				return err
			}
		}
		return nil
	default:
		return insertSeries(sel, tx.params, add)
	}
}

func insertColumns(t *table, cols []*pg.Node) ([]int, error) {
	var columns []int
	if len(cols) == 0 {
		for i := range t.columns {
			columns = append(columns, i)
		}
	}
	for _, c := range cols {
		i, err := t.named(c.GetResTarget().Name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, i)
	}
	return columns, nil
}

func (tx sqlTx) insertExprs(t *table, columns []int, exprs []*expr, source []cell) error {
	if len(exprs) > len(columns) {
		return errors.New("INSERT has more expressions than target columns")
	}
	given := make([]*expr, len(t.columns))
	for n, e := range exprs {
		given[columns[n]] = e
	}
	cells := make([]cell, len(t.columns))
	for i, e := range given {
		var err error
		if cells[i], err = t.columns[i].evaluated(e, source); err != nil {
			return err
		}
	}
	return tx.writes.insert(t, cells)
}

// insertSeries is INSERT … SELECT … FROM generate_series(a, b) AS name.
func insertSeries(sel *pg.SelectStmt, params map[int32]*string, add func([]*expr, []cell) error) error {
	unsupported := errors.New("of INSERT … SELECT, only one from generate_series(a, b) is imitated")
	if len(sel.FromClause) != 1 || sel.WhereClause != nil {
		return unsupported
	}
	from := sel.FromClause[0].GetRangeFunction()
	if from == nil || len(from.Functions) != 1 {
		return unsupported
	}
	call := from.Functions[0].GetList().GetItems()[0].GetFuncCall()
	if call == nil || name(call.Funcname) != "generate_series" || len(call.Args) != 2 {
		return unsupported
	}
	bounds, err := valueExprs(call.Args, scope{column: noColumn, key: -1}, params)
	if err != nil {
		return err
	}
	for _, b := range bounds {
		if !b.constant() || b.typ.kind() != kindInt {
			return unsupported
		}
	}
	alias := "generate_series"
	if from.Alias != nil {
		alias = from.Alias.Aliasname
		if len(from.Alias.Colnames) > 0 {
			alias = from.Alias.Colnames[0].GetString_().Sval
		}
	}
	series := scope{key: -1, column: func(name string) (int, typ, bool) { return 0, typeInt8, name == alias }}
	var targets []*pg.Node
	for _, target := range sel.TargetList {
		targets = append(targets, target.GetResTarget().Val)
	}
	exprs, err := valueExprs(targets, series, params)
	if err != nil {
		return err
	}
	for i := bounds[0].value.i; i <= bounds[1].value.i; i++ {
		if err := add(exprs, []cell{newCell(strconv.FormatInt(i, 10))}); err != nil {
			return err
		}
	}
	return nil
}
