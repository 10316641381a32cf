package electrictest

import (
	"errors"
	"fmt"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// partitioning is how the rows of a table are spread over partitions. The table holds
// them all: a partition is a name that the log spells their keys with.
type partitioning struct {
	layout *layout
	column int
	parts  []*partition
}

// partition is one partition: of a range, of a list, or the default one.
type partition struct {
	rel      relation
	from, to *datum // of a range; nil: without a bound
	list     []datum
	isRange  bool
	isRest   bool // the default partition
}

var errPartition = errors.New("of partitions, only those by range or list of one column are imitated")

// newPartitioning reads PARTITION BY; nil without it.
func newPartitioning(l *layout, n *pg.PartitionSpec) (*partitioning, error) {
	if n == nil {
		return nil, nil //nolint:nilnil // it is one table
	}
	if len(n.PartParams) != 1 || n.Strategy == pg.PartitionStrategy_PARTITION_STRATEGY_HASH {
		return nil, errPartition
	}
	i, ok := l.byName[n.PartParams[0].GetPartitionElem().GetName()]
	if !ok {
		return nil, errPartition
	}
	if l.hasKey && !slices.Contains(l.key, i) {
		return nil, errors.New("unique constraint on partitioned table must include all partitioning columns")
	}
	return &partitioning{layout: l, column: i}, nil
}

// createPartition is CREATE TABLE … PARTITION OF.
func (tx sqlTx) createPartition(rel relation, n *pg.CreateStmt) error {
	root, err := tx.db.catalog.find(relationOf(n.InhRelations[0].GetRangeVar()))
	if err != nil {
		return err
	}
	if root.parts == nil {
		return fmt.Errorf("relation %s is not partitioned", root.rel)
	}
	p := &partition{rel: rel, isRest: n.Partbound.IsDefault}
	switch {
	case p.isRest:
	case n.Partbound.Strategy == "r":
		p.isRange = true
		if p.from, err = root.parts.bound(n.Partbound.Lowerdatums); err != nil {
			return err
		}
		if p.to, err = root.parts.bound(n.Partbound.Upperdatums); err != nil {
			return err
		}
	case n.Partbound.Strategy == "l":
		for _, e := range n.Partbound.Listdatums {
			d, err := root.parts.bound([]*pg.Node{e})
			if err != nil || d == nil {
				return errors.Join(errPartition, err)
			}
			p.list = append(p.list, *d)
		}
	default:
		return errPartition
	}
	parts := root.parts
	parts.parts = append(parts.parts, p)
	tx.db.catalog.partitions[rel] = root
	tx.created = append(tx.created, func() {
		parts.parts = slices.DeleteFunc(parts.parts, func(other *partition) bool { return other == p })
		delete(tx.db.catalog.partitions, rel)
	})
	return nil
}

// bound reads a bound; nil is MINVALUE or MAXVALUE.
func (p *partitioning) bound(nodes []*pg.Node) (*datum, error) {
	if len(nodes) != 1 {
		return nil, errPartition
	}
	if nodes[0].GetColumnRef() != nil {
		return nil, nil //nolint:nilnil // MINVALUE and MAXVALUE
	}
	exprs, err := valueExprs(nodes, scope{column: noColumn, key: -1}, nil)
	if err != nil {
		return nil, err
	}
	c, err := p.layout.columns[p.column].evaluated(exprs[0], nil)
	if err != nil || c.null() {
		return nil, errors.Join(errPartition, err)
	}
	d := decode(p.layout.columns[p.column].typ, c.text)
	return &d, nil
}

// of returns the partition of a row.
func (p *partitioning) of(cells []cell) (*partition, error) {
	c := cells[p.column]
	typ := p.layout.columns[p.column].typ
	i := slices.IndexFunc(p.parts, func(part *partition) bool {
		return !c.null() && part.has(typ.kind(), decode(typ, c.text))
	})
	if i < 0 {
		i = slices.IndexFunc(p.parts, func(part *partition) bool { return part.isRest })
	}
	if i < 0 {
		return nil, fmt.Errorf("no partition of relation %q found for row", p.layout.rel.name)
	}
	return p.parts[i], nil
}

func (p *partition) has(k kind, d datum) bool {
	if p.isRange {
		return (p.from == nil || compareDatums(k, *p.from, d) <= 0) && (p.to == nil || compareDatums(k, d, *p.to) < 0)
	}
	return slices.ContainsFunc(p.list, func(e datum) bool { return compareDatums(k, e, d) == 0 })
}
