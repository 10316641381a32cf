package electrictest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (tx sqlTx) createTable(n *pg.CreateStmt) error {
	rel := relationOf(n.Relation)
	if tx.db.catalog.taken(rel) {
		if n.IfNotExists {
			return nil
		}
		return fmt.Errorf("relation %s already exists", rel)
	}
	if n.Partbound != nil {
		return tx.createPartition(rel, n)
	}
	columns, key, err := newColumns(n.TableElts)
	if err != nil {
		return err
	}
	l := newLayout(rel, columns, key)
	if l.parts, err = newPartitioning(l, n.Partspec); err != nil {
		return err
	}
	tx.db.catalog.tables[rel] = newTable(l)
	tx.created = append(tx.created, func() { delete(tx.db.catalog.tables, rel) })
	return nil
}

// newColumns reads the columns of a table, and which of them are its primary key.
func newColumns(elements []*pg.Node) (columns []column, indexes []int, err error) {
	var key []string
	for _, e := range elements {
		switch e := e.GetNode().(type) {
		case *pg.Node_ColumnDef:
			c, inKey, err := newColumn(e.ColumnDef)
			if err != nil {
				return nil, nil, err
			}
			if inKey {
				key = append(key, c.name)
			}
			columns = append(columns, *c)
		case *pg.Node_Constraint:
			if e.Constraint.Contype == pg.ConstrType_CONSTR_PRIMARY {
				for _, k := range e.Constraint.Keys {
					key = append(key, k.GetString_().Sval)
				}
			}
		default:
			return nil, nil, fmt.Errorf("%T in CREATE TABLE is not imitated", e)
		}
	}
	indexes, err = keyColumns(columns, key)
	return columns, indexes, err
}

func keyColumns(columns []column, key []string) ([]int, error) {
	var indexes []int
	for _, k := range key {
		i := slices.IndexFunc(columns, func(c column) bool { return c.name == k })
		if i < 0 {
			return nil, fmt.Errorf("column %q named in key does not exist", k)
		}
		indexes = append(indexes, i)
	}
	return indexes, nil
}

// serials are the types that stand for an integer with a sequence.
var serials = map[string]string{
	"smallserial": "int2", "serial2": "int2", "serial": "int4", "serial4": "int4", "bigserial": "int8", "serial8": "int8",
}

func newColumn(n *pg.ColumnDef) (c *column, inKey bool, err error) {
	c = &column{name: n.Colname, pkIndex: -1}
	c.typ = typ{name: name(n.TypeName.Names), array: len(n.TypeName.ArrayBounds) > 0}
	if integer, ok := serials[c.typ.name]; ok {
		c.typ.name, c.sequence, c.notNull = integer, new(int64), true
	}
	for _, m := range n.TypeName.Typmods {
		c.mods = append(c.mods, int(m.GetAConst().GetIval().GetIval()))
	}
	for _, k := range n.Constraints {
		switch k := k.GetConstraint(); k.Contype {
		case pg.ConstrType_CONSTR_PRIMARY:
			inKey = true
		case pg.ConstrType_CONSTR_NOTNULL:
			c.notNull = true
		case pg.ConstrType_CONSTR_IDENTITY:
			c.sequence, c.notNull = new(int64), true
		case pg.ConstrType_CONSTR_GENERATED:
			return nil, false, errors.New("generated columns are not imitated")
		case pg.ConstrType_CONSTR_DEFAULT:
			compile := compiler{rules: rules{scope: scope{column: noColumn, key: -1}, statement: true}}
			if c.fallback, err = compile.expr(k.RawExpr); err != nil {
				return nil, false, err
			}
		}
	}
	return c, inKey, nil
}

// drop removes tables. Unlike other statements it is not taken back when a later
// one in the same transaction fails.
func (tx sqlTx) drop(n *pg.DropStmt) error {
	if n.RemoveType != pg.ObjectType_OBJECT_TABLE {
		return fmt.Errorf("DROP of %s is not imitated", n.RemoveType)
	}
	for _, o := range n.Objects {
		parts := o.GetList().GetItems()
		rel := relation{schema: "public", name: parts[len(parts)-1].GetString_().Sval}
		if len(parts) > 1 {
			rel.schema = parts[0].GetString_().Sval
		}
		t, ok := tx.db.catalog.tables[rel]
		if !ok {
			if n.MissingOk {
				continue
			}
			return fmt.Errorf("relation %s does not exist", rel)
		}
		tx.db.shapes.rotate(t, atOnce)
		delete(tx.db.catalog.tables, rel)
		maps.DeleteFunc(tx.db.catalog.partitions, func(_ relation, root *table) bool { return root == t })
	}
	return nil
}

// alter accepts what says nothing about rows: replica identity, constraints
// other than a primary key, owners.
func alter(n *pg.AlterTableStmt) error {
	for _, cmd := range n.Cmds {
		switch c := cmd.GetAlterTableCmd(); c.Subtype {
		case pg.AlterTableType_AT_ReplicaIdentity, pg.AlterTableType_AT_ChangeOwner,
			pg.AlterTableType_AT_EnableRowSecurity:
		case pg.AlterTableType_AT_AddConstraint:
			if c.Def.GetConstraint().GetContype() == pg.ConstrType_CONSTR_PRIMARY {
				return errors.New("ALTER TABLE … ADD PRIMARY KEY is not imitated")
			}
		default:
			return fmt.Errorf("ALTER TABLE %s is not imitated", c.Subtype)
		}
	}
	return nil
}
