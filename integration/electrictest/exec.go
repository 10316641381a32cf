package electrictest

import (
	"errors"
	"fmt"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// exec runs statements in order. Those that concern neither tables nor rows
// (indexes, comments, grants, settings, enums, BEGIN and COMMIT) are accepted and do
// nothing.
func (tx *Tx) exec(sql string, args []any) error {
	tree, err := pg.Parse(sql)
	if err != nil {
		return err
	}
	params := make(map[int32]*string, len(args))
	for i, a := range args {
		if params[int32(i+1)], err = textOf(a); err != nil {
			return fmt.Errorf("$%d: %w", i+1, err)
		}
	}
	for _, stmt := range tree.Stmts {
		if err := (sqlTx{tx, params}).statement(stmt.Stmt); err != nil {
			return err
		}
	}
	return nil
}

// sqlTx runs SQL statements in a transaction.
type sqlTx struct {
	*Tx
	params map[int32]*string // the values of $1, $2, …; nil is NULL
}

func (tx sqlTx) statement(n *pg.Node) error {
	switch n := n.GetNode().(type) {
	case *pg.Node_CreateStmt:
		return tx.createTable(n.CreateStmt)
	case *pg.Node_DropStmt:
		return tx.drop(n.DropStmt)
	case *pg.Node_InsertStmt:
		return tx.insertStmt(n.InsertStmt)
	case *pg.Node_UpdateStmt:
		return tx.updateStmt(n.UpdateStmt)
	case *pg.Node_DeleteStmt:
		return tx.deleteStmt(n.DeleteStmt)
	case *pg.Node_TruncateStmt:
		for _, r := range n.TruncateStmt.Relations {
			t, err := tx.relation(relationOf(r.GetRangeVar()))
			if err != nil {
				return err
			}
			tx.truncate(t)
		}
		return nil
	case *pg.Node_AlterTableStmt:
		return tx.alter(n.AlterTableStmt)
	case *pg.Node_IndexStmt, *pg.Node_CommentStmt, *pg.Node_GrantStmt, *pg.Node_TransactionStmt,
		*pg.Node_VariableSetStmt, *pg.Node_CreateExtensionStmt, *pg.Node_CreateSchemaStmt,
		*pg.Node_CreatePublicationStmt, *pg.Node_CreateEnumStmt, *pg.Node_SelectStmt:
		return nil
	default:
		return fmt.Errorf("statement %T is not imitated", n)
	}
}

func relationOf(r *pg.RangeVar) relation {
	rel := relation{schema: r.Schemaname, name: r.Relname}
	if rel.schema == "" {
		rel.schema = "public"
	}
	return rel
}

// args returns the parameters as an expression's compiler wants them: anew for
// each expression, since each may give them another type.
func args(params map[int32]*string) map[int32]*param {
	out := make(map[int32]*param, len(params))
	for n, text := range params {
		out[n] = &param{text: text}
	}
	return out
}

func (tx sqlTx) insertStmt(n *pg.InsertStmt) error {
	t, err := tx.relation(relationOf(n.Relation))
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

func noColumn(string) (int, typ, bool) { return 0, typ{}, false }

func insertColumns(t *table, cols []*pg.Node) ([]int, error) {
	var columns []int
	if len(cols) == 0 {
		for i := range t.columns {
			columns = append(columns, i)
		}
	}
	for _, c := range cols {
		i, ok := t.byName[c.GetResTarget().Name]
		if !ok {
			return nil, fmt.Errorf("column %q of relation %s does not exist", c.GetResTarget().Name, t.rel)
		}
		columns = append(columns, i)
	}
	return columns, nil
}

// valueExprs compiles the values of one row; nil stands for DEFAULT.
func valueExprs(nodes []*pg.Node, s scope, params map[int32]*string) ([]*expr, error) {
	c := compiler{rules: rules{scope: s, statement: true}, params: args(params)}
	exprs := make([]*expr, len(nodes))
	for i, n := range nodes {
		if n.GetSetToDefault() != nil {
			continue
		}
		var err error
		if exprs[i], err = c.expr(n); err != nil {
			return nil, err
		}
	}
	return exprs, nil
}

func (tx sqlTx) insertExprs(t *table, columns []int, exprs []*expr, source []cell) error {
	if len(exprs) > len(columns) {
		return errors.New("INSERT has more expressions than target columns")
	}
	cells := make([]cell, len(t.columns))
	given := make([]bool, len(t.columns))
	var err error
	for n, e := range exprs {
		if e == nil {
			continue
		}
		i := columns[n]
		given[i] = true
		if cells[i], err = t.evaluated(i, e, source); err != nil {
			return err
		}
	}
	for i := range cells {
		if !given[i] {
			if cells[i], err = t.fallbackCell(i); err != nil {
				return err
			}
		}
	}
	return tx.insert(t, cells)
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

func (tx sqlTx) updateStmt(n *pg.UpdateStmt) error {
	t, err := tx.relation(relationOf(n.Relation))
	if err != nil {
		return err
	}
	if len(n.FromClause) > 0 {
		return errors.New("UPDATE … FROM is not imitated")
	}
	var columns []int
	var values []*pg.Node
	for _, target := range n.TargetList {
		rt := target.GetResTarget()
		i, ok := t.byName[rt.Name]
		if !ok {
			return fmt.Errorf("column %q of relation %s does not exist", rt.Name, t.rel)
		}
		columns, values = append(columns, i), append(values, rt.Val)
	}
	exprs, err := valueExprs(values, t.scope(nil), tx.params)
	if err != nil {
		return err
	}
	return tx.eachMatch(t, n.WhereClause, func(pos int, r *row) error {
		cells := append([]cell(nil), r.cells...)
		for k, i := range columns {
			var err error
			if exprs[k] == nil {
				cells[i], err = t.fallbackCell(i)
			} else {
				cells[i], err = t.evaluated(i, exprs[k], r.cells)
			}
			if err != nil {
				return err
			}
		}
		return tx.update(t, pos, cells)
	})
}

func (tx sqlTx) deleteStmt(n *pg.DeleteStmt) error {
	t, err := tx.relation(relationOf(n.Relation))
	if err != nil {
		return err
	}
	if len(n.UsingClause) > 0 {
		return errors.New("DELETE … USING is not imitated")
	}
	return tx.eachMatch(t, n.WhereClause, func(pos int, _ *row) error {
		tx.delete(t, pos)
		return nil
	})
}

// eachMatch calls do for the rows that a where holds for, as they were before the
// first call.
func (tx sqlTx) eachMatch(t *table, where *pg.Node, do func(int, *row) error) error {
	var cond *condition
	if where != nil {
		c := compiler{rules: rules{scope: t.scope(nil), statement: true}, params: args(tx.params)}
		e, err := c.boolean(where)
		if err != nil {
			return err
		}
		cond = &condition{expr: e}
	}
	if cond != nil && cond.expr.ids != nil {
		for _, r := range t.lookup(cond.expr.ids) {
			if pos, _ := t.find(r.key); cond.holds(r) {
				if err := do(pos, r); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for pos, r := range t.rows.view().all() {
		if cond.holds(r) {
			if err := do(pos, r); err != nil {
				return err
			}
		}
	}
	return nil
}
