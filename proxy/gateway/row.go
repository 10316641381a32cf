package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// rowReader reads one row of a shape from Electric, as the proxy does.
type rowReader struct {
	electric *electric.Client
	def      *schema.Shape
	reading  *proxy.Reading
}

// foundRow is what is known of a row.
type foundRow struct {
	id         []string // as Postgres prints it
	exists     bool
	meetsWhere bool

	// impossible says why no row can have the id; empty: one may.
	impossible string

	// columns are those of the shape's filters; nil is NULL. Where there is no row, they are
	// those that the primary key has.
	columns map[string]*string
}

// find asks for the row whose primary key has the values id. One that does not meet the
// shape's where is asked for in the whole table.
func (r *rowReader) find(ctx context.Context, id []string) (*foundRow, error) {
	table, err := r.electric.Probe(ctx, r.reading.Log())
	if errors.Is(err, electric.ErrRefused) && len(r.def.Params) > 0 {
		return nil, invalid("Electric refuses the shape with these params: give values that their columns can hold")
	}
	if err != nil {
		return nil, err
	}
	if err := r.reading.Learn(table); err != nil {
		return nil, err
	}
	row := &foundRow{columns: make(map[string]*string)}
	if row.id, row.impossible, err = r.key(table, id); err != nil {
		return nil, err
	}
	for i, name := range table.Key {
		row.columns[name] = &row.id[i]
	}
	if row.impossible != "" {
		return row, nil
	}
	query, err := r.reading.Row(row.id)
	if err != nil {
		return nil, err
	}
	row.meetsWhere, err = r.read(ctx, r.reading.Log(), query, row)
	if row.exists = row.meetsWhere; err != nil || row.exists || r.def.Where == nil {
		return row, err
	}
	row.exists, err = r.read(ctx, r.reading.WholeTable(), query, row)
	return row, err
}

// key returns the values of a primary key as Postgres prints them, and why no row can have
// them, if none can.
func (r *rowReader) key(table *electric.Schema, id []string) (key []string, impossible string, err error) {
	if len(id) != len(table.Key) {
		return nil, "", invalid("the primary key of %s is (%s): give an id for each of its columns, in this order", r.def.Table, strings.Join(table.Key, ", "))
	}
	key = make([]string, len(id))
	for i, value := range id {
		name := table.Key[i]
		typ := table.Columns[name].Type
		canonical, ok := subset.CanonicalValue(typ, value)
		if !ok && !subset.ValidValue(typ, value) {
			impossible = fmt.Sprintf("%s is no %s, which the column %s of %s is: no row has it", value, typ, name, r.def.Table)
		}
		if key[i] = value; ok {
			key[i] = canonical
		}
	}
	return key, impossible, nil
}

// read reads the row from a log's table into row. It returns false if there is none.
func (r *rowReader) read(ctx context.Context, log *electric.LogSpec, query electric.Subset, row *foundRow) (bool, error) {
	snapshot, err := r.electric.ReadSubset(ctx, log, query)
	if err != nil {
		return false, err
	}
	defer func() { _ = snapshot.Close() }()
	m, err := snapshot.Next()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, f := range r.def.Authorize.Filter {
		v, err := m.Column(f.Column)
		switch {
		case err != nil:
			return false, err
		case !v.Present:
			return false, &electric.ProtocolError{Reason: fmt.Sprintf("a row without the column %s, which was asked for", f.Column)}
		case v.Null:
			row.columns[f.Column] = nil
		default:
			text := string(v.Text)
			row.columns[f.Column] = &text
		}
	}
	return true, nil
}
