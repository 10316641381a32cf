package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// MisfitError says that a shape definition does not fit Electric's table. Its text
// names the shape, the place in the file, the reason and the remedy; it is for
// operators.
type MisfitError struct {
	Shape  string // the shape's name
	Column string // the column that is wrong, or "" if it is the table or not known
	Reason string // what is wrong, and what to do

	place *schema.Error
}

// Error implements error.
func (e *MisfitError) Error() string { return e.place.Error() }

func misfit(shape *schema.Shape, key, column, reason string) *MisfitError {
	return &MisfitError{Shape: shape.Name, Column: column, Reason: reason, place: shape.Errorf(key, "%s", reason)}
}

// CheckTables asks Electric about the table of each shape. It returns a joined error
// of a *MisfitError for each shape that its table does not fit, or else the first
// failure to get an answer.
func CheckTables(ctx context.Context, client *electric.Client, shapes []schema.Shape) error {
	var misfits []error
	for i := range shapes {
		err := checkTable(ctx, client, &shapes[i])
		var m *MisfitError
		switch {
		case errors.As(err, &m):
			misfits = append(misfits, err)
		case err != nil:
			return err
		}
	}
	return errors.Join(misfits...)
}

// checkTable returns joined *MisfitErrors, or a failure to get an answer.
func checkTable(ctx context.Context, client *electric.Client, shape *schema.Shape) error {
	table, err := probe(ctx, client, probeSpec(shape))
	if errors.Is(err, electric.ErrRefused) {
		return misfit(shape, "table", "", fmt.Sprintf("Electric refuses the shape: the table %s.%s has to exist, each of columns has to be one of its columns and not a generated one, the primary key has to be among columns, and where has to fit the table",
			electric.QuoteIdentifier(shape.Table.Schema), electric.QuoteIdentifier(shape.Table.Name)))
	}
	if err != nil {
		return err
	}
	return fits(shape, table)
}

// probe returns what Electric says of the table of a log spec. It reads no rows.
func probe(ctx context.Context, client *electric.Client, spec *electric.LogSpec) (*electric.Schema, error) {
	answer, err := client.ReadLog(ctx, spec, electric.LogRequest{Offset: electric.Now})
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Close() }()
	return answer.Schema, nil
}

// probeSpec is a log spec with the shape's table and columns. Electric keeps a log for
// each spec that it is asked about: where the shape has no params it is the log that
// readers share, and otherwise one that stays empty, since the values of params are
// the clients' to give.
func probeSpec(shape *schema.Shape) *electric.LogSpec {
	spec := &electric.LogSpec{
		Schema: shape.Table.Schema, Table: shape.Table.Name,
		Columns: shape.Columns, Log: electric.LogChangesOnly,
	}
	switch {
	case len(shape.Params) > 0:
		column := electric.QuoteIdentifier(shape.Columns[0])
		spec.Where = column + " IS NULL AND " + column + " IS NOT NULL"
	case shape.Where != nil:
		spec.Where = shape.Where.SQL
	}
	return spec
}

// idTypes are the types of columns that can hold object ids: each prints a value in
// one way only, so that equal text means equal values.
var idTypes = []string{"uuid", "text", "varchar", "int2", "int4", "int8"}

// fits checks a shape against what Electric says of its columns.
func fits(shape *schema.Shape, table *electric.Schema) error {
	var errs []error
	for i, column := range shape.Columns {
		if _, ok := table.Columns[column]; !ok {
			errs = append(errs, misfit(shape, fmt.Sprintf("columns[%d]", i), column,
				fmt.Sprintf("the table has no column %q: correct or remove it", column)))
		}
	}
	for i, f := range shape.Authorize.Filter {
		c, ok := table.Columns[f.Column]
		if ok && (c.Dims > 0 || !slices.Contains(idTypes, c.Type)) {
			errs = append(errs, misfit(shape, fmt.Sprintf("authorize.filter[%d].column", i), f.Column,
				fmt.Sprintf("the column %q has the type %s, which cannot hold object ids: filter by a column of the type uuid, text, varchar, int2, int4 or int8", f.Column, typeName(c))))
		}
	}
	return errors.Join(errs...)
}

func typeName(c electric.Column) string {
	if c.Dims > 0 {
		return c.Type + "[]"
	}
	return c.Type
}
