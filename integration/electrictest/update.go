package electrictest

import (
	"errors"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (tx sqlTx) updateStmt(n *pg.UpdateStmt) error {
	t, err := tx.db.catalog.find(relationOf(n.Relation))
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
		i, err := t.named(rt.Name)
		if err != nil {
			return err
		}
		columns, values = append(columns, i), append(values, rt.Val)
	}
	exprs, err := valueExprs(values, t.scope(nil), tx.params)
	if err != nil {
		return err
	}
	return eachMatch(t, n.WhereClause, tx.params, func(pos int, r *row) error {
		cells := append([]cell(nil), r.cells...)
		for k, i := range columns {
			var err error
			if cells[i], err = t.columns[i].evaluated(exprs[k], r.cells); err != nil {
				return err
			}
		}
		return tx.writes.update(t, pos, cells)
	})
}

func (tx sqlTx) deleteStmt(n *pg.DeleteStmt) error {
	t, err := tx.db.catalog.find(relationOf(n.Relation))
	if err != nil {
		return err
	}
	if len(n.UsingClause) > 0 {
		return errors.New("DELETE … USING is not imitated")
	}
	return eachMatch(t, n.WhereClause, tx.params, func(pos int, _ *row) error {
		tx.writes.delete(t, pos)
		return nil
	})
}

// eachMatch calls do for the rows that a where holds for, as they were before the
// first call.
func eachMatch(t *table, where *pg.Node, params map[int32]*string, do func(int, *row) error) error {
	var cond *condition
	if where != nil {
		c := compiler{rules: rules{scope: t.scope(nil), statement: true}, params: args(params)}
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
