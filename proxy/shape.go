package proxy

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// shape is a shape definition, ready to be asked.
type shape struct {
	def   *schema.Shape
	table table
	notes *notes

	label string // see labelOf

	// feedColumns are the columns by which readers of the table are granted rows, this
	// shape's and others'. filterColumns says which of them each filter has.
	feedColumns   []feed.Column
	filterColumns []int

	compared compared

	// specs are the log specs of a shape without params, by replica.
	specs [2]atomic.Pointer[electric.LogSpec]
}

// newShapes returns the shapes by their names.
func newShapes(defs []schema.Shape, n *notes) (map[string]*shape, error) {
	shapes := make(map[string]*shape, len(defs))
	for i := range defs {
		def := &defs[i]
		if _, ok := shapes[def.Name]; ok {
			return nil, fmt.Errorf("shape %s is defined twice", def.Name)
		}
		shapes[def.Name] = newShape(def, n)
	}
	shareColumns(shapes)
	return shapes, nil
}

func newShape(def *schema.Shape, n *notes) *shape {
	return &shape{def: def, table: table{def: def}, notes: n, label: labelOf(&def.Guarded)}
}

// shareColumns gives shapes of one table the same columns, so that they can share a feed.
func shareColumns(shapes map[string]*shape) {
	byTable := make(map[schema.Table][]feed.Column)
	for _, s := range shapes {
		for _, f := range s.def.Authorize.Filter {
			c := feed.Column{Name: f.Column, ResourceType: f.Resource}
			if all := byTable[s.def.Table]; !slices.Contains(all, c) {
				byTable[s.def.Table] = append(all, c)
			}
		}
	}
	for _, s := range shapes {
		s.feedColumns = byTable[s.def.Table]
		for _, f := range s.def.Authorize.Filter {
			s.filterColumns = append(s.filterColumns, slices.Index(s.feedColumns, feed.Column{Name: f.Column, ResourceType: f.Resource}))
		}
	}
}

// readsStored reports whether first reads are answered with Electric's stored log.
func (s *shape) readsStored() bool { return s.def.FirstRead == schema.Stored }

// logSpec returns the log that a reader of the shape reads, for the given values of its
// params. It holds changes alone: what is there comes from a subset, so that Electric
// never reads the whole table for it. A shape that reads Electric's stored log has a log
// with its snapshot.
func (s *shape) logSpec(params map[string]string, everything bool, replica electric.Replica) *electric.LogSpec {
	if !everything && s.table.needsFullReplica() {
		replica = electric.ReplicaFull
	}
	if len(s.def.Params) > 0 {
		return s.newLogSpec(params, replica)
	}
	made := &s.specs[replica]
	if spec := made.Load(); spec != nil {
		return spec
	}
	made.CompareAndSwap(nil, s.newLogSpec(nil, replica))
	return made.Load()
}

func (s *shape) newLogSpec(params map[string]string, replica electric.Replica) *electric.LogSpec {
	spec := &electric.LogSpec{
		Schema:  s.def.Table.Schema,
		Table:   s.def.Table.Name,
		Columns: s.def.Columns,
		Replica: replica,
		Log:     electric.LogChangesOnly,
	}
	if s.readsStored() {
		spec.Log = electric.LogFull
	}
	if w := s.def.Where; w != nil {
		spec.Where = w.SQL
		for _, name := range w.Params {
			spec.WhereParams = append(spec.WhereParams, params[name])
		}
	}
	return spec
}

// feedView is what a feed wakes the readers of some grants for.
func (s *shape) feedView(g authz.Grants) feed.View {
	view := feed.View{All: g.IsEverything()}
	if view.All {
		return view
	}
	for i, column := range s.filterColumns {
		view.Grants = append(view.Grants, feed.Grant{Column: column, IDs: g.Set(i)})
	}
	return view
}

// validIDs returns the ids that a filter's column can hold, spelled as Postgres prints
// them. One that it cannot hold would make Electric refuse the whole request (recording
// 07), and an id in another spelling would be one object to SpiceDB and another to SQL:
// both are left out, and counted.
func (s *shape) validIDs(column string, set *authz.GrantSet) []string {
	columnType := s.table.typeOf(column)
	ids := make([]string, 0, set.Len())
	for id := range set.All() {
		if canonical, ok := subset.CanonicalValue(columnType, id); ok && canonical == id {
			ids = append(ids, id)
		}
	}
	if left := set.Len() - len(ids); left > 0 {
		s.notes.leftOut(s.def.Name, column, columnType, left)
	}
	return ids
}
