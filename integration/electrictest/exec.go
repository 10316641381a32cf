package electrictest

import (
	"fmt"

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
			t, err := tx.db.catalog.find(relationOf(r.GetRangeVar()))
			if err != nil {
				return err
			}
			tx.writes.truncate(t)
		}
		return nil
	case *pg.Node_AlterTableStmt:
		return alter(n.AlterTableStmt)
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

func noColumn(string) (int, typ, bool) { return 0, typ{}, false }

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
