package gateway

import (
	"context"
	"errors"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// CheckTables asks Electric about the table of each shape. It returns a joined error of a
// schema.Finding for each thing that keeps a shape from being served, or else the first
// failure to get an answer.
func CheckTables(ctx context.Context, client *electric.Client, shapes []schema.Shape) error {
	var findings []error
	for _, shape := range shapes {
		found, err := checkTable(ctx, client, shape)
		if err != nil {
			return err
		}
		for _, f := range found {
			findings = append(findings, f)
		}
	}
	return errors.Join(findings...)
}

// checkTable returns what keeps a shape from being served, or a failure to get an answer.
func checkTable(ctx context.Context, client *electric.Client, shape schema.Shape) ([]schema.Finding, error) {
	table, err := client.Probe(ctx, probeSpec(&shape))
	var wrong *electric.MisconfiguredError
	switch {
	case errors.As(err, &wrong) && len(wrong.Refused) > 0:
		return shape.Refused(wrong.Refused), nil
	case errors.Is(err, electric.ErrRefused):
		return shape.Refused(map[string][]string{"where": {err.Error()}}), nil
	case err != nil:
		return nil, err
	}
	return shape.ValidateTable(describe(table)), nil
}

// describe returns what Electric says of a table.
func describe(table *electric.Schema) *schema.TableDescription {
	d := &schema.TableDescription{Key: table.Key}
	for name, c := range table.Columns {
		d.Columns = append(d.Columns, schema.ColumnDescription{Name: name, Type: c.Type, Dims: c.Dims})
	}
	return d
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
