package gateway

import (
	"context"
	"errors"
	"slices"

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
	table, refused, err := probe(ctx, client, shape, probeSpec(&shape))
	if err != nil {
		return nil, err
	}
	var findings []schema.Finding
	if table != nil {
		findings = shape.ValidateTable(describe(table))
	} else if findings = refused; len(refused) > 0 && refused[0].At() != "where" {
		return refused, nil
	}
	if shape.Where == nil || table != nil && len(shape.Params) == 0 {
		return findings, nil
	}
	inWhere, err := checkWhere(ctx, client, shape, table == nil)
	if err != nil || len(inWhere) == 0 {
		return findings, err
	}
	return inWhere, nil
}

// checkWhere returns what is wrong in a shape's where: the columns that the table does not
// have, or else the parts that Electric refuses, if it does refuse the where.
func checkWhere(ctx context.Context, client *electric.Client, shape schema.Shape, isRefused bool) ([]schema.Finding, error) {
	spec := probeSpec(&shape)
	spec.Where = noRows(&shape)
	for _, name := range shape.Where.Columns() {
		if !slices.Contains(spec.Columns, name) {
			spec.Columns = append(slices.Clip(spec.Columns), name)
		}
	}
	if !isRefused && len(spec.Columns) == len(shape.Columns) {
		return nil, nil // these columns are known to be there
	}
	_, findings, err := probe(ctx, client, shape, spec)
	findings = slices.DeleteFunc(findings, func(f schema.Finding) bool { return f.At() != "where" })
	if err != nil || len(findings) > 0 || !isRefused {
		return findings, err
	}
	for _, part := range shape.Where.Fixed() {
		spec := probeSpec(&shape)
		spec.Where = noRows(&shape) + " AND (" + part + ")"
		_, refused, err := probe(ctx, client, shape, spec)
		if err != nil {
			return nil, err
		}
		if len(refused) > 0 {
			findings = append(findings, shape.RefusedWhere(part))
		}
	}
	return findings, nil
}

// probe asks Electric about a log of a shape. It returns its table, or why Electric refuses
// the log.
func probe(ctx context.Context, client *electric.Client, shape schema.Shape, spec *electric.LogSpec) (*electric.Schema, []schema.Finding, error) {
	table, err := client.Probe(ctx, spec)
	var wrong *electric.MisconfiguredError
	switch {
	case errors.As(err, &wrong) && len(wrong.Refused) > 0:
		return nil, shape.Refused(wrong.Refused), nil
	case errors.Is(err, electric.ErrRefused):
		return nil, []schema.Finding{shape.RefusedWhere("")}, nil
	}
	return table, nil, err
}

// describe returns what Electric says of a table.
func describe(table *electric.Schema) *schema.TableDescription {
	d := &schema.TableDescription{Key: table.Key}
	for name, c := range table.Columns {
		d.Columns = append(d.Columns, schema.ColumnDescription{Name: name, Type: c.Type, Dims: c.Dims})
	}
	return d
}

// probeSpec is a log spec with the shape's table, columns and where. Electric keeps a log
// for each spec that it is asked about: where the shape has no params it is the log that
// readers share, and otherwise one that stays empty, since the values of params are
// the clients' to give.
func probeSpec(shape *schema.Shape) *electric.LogSpec {
	spec := &electric.LogSpec{
		Schema: shape.Table.Schema, Table: shape.Table.Name,
		Columns: shape.Columns, Log: electric.LogChangesOnly,
	}
	switch {
	case len(shape.Params) > 0:
		spec.Where = noRows(shape)
		if shape.Where != nil {
			for _, part := range shape.Where.Fixed() {
				spec.Where += " AND (" + part + ")"
			}
		}
	case shape.Where != nil:
		spec.Where = shape.Where.SQL
	}
	return spec
}

// noRows is a where that no row of a shape's table meets.
func noRows(shape *schema.Shape) string {
	column := electric.QuoteIdentifier(shape.Columns[0])
	return column + " IS NULL AND " + column + " IS NOT NULL"
}
