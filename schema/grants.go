package schema

import "slices"

// Grants is the definition of a collection of permissions: a row for each object of a
// definition on which a person holds any of some permissions, with a boolean column for
// each of them. It has no table: its rows are what SpiceDB says.
//
// Authorize has a filter for each permission, in their order. The filter's column is the
// permission's.
type Grants struct {
	Guarded
	Resource    string // the definition in SpiceDB's schema
	Permissions []string

	// ColumnType is the type of the column "id", as Postgres names it.
	ColumnType string
}

// columnTypes are the words for the type of the column "id". The first is the default.
var columnTypes = []string{"text", "uuid", "integer", "bigint", "varchar", "int2", "int4", "int8"}

// catalogType returns Postgres' own name of one of columnTypes.
func catalogType(word string) string {
	switch word {
	case "integer":
		return "int4"
	case "bigint":
		return "int8"
	}
	return word
}

// idColumn is the column of the object's id. No permission can have its name: it is too
// short for one.
const idColumn = "id"

// MostPermissions is how many permissions one collection may have. A client's handle names
// a revision of SpiceDB for each.
const MostPermissions = 16

func readAllGrants(d *document, v value, shapes []Shape) []Grants {
	entries, ok := d.mapping(v)
	if ok && len(entries) == 0 {
		d.failAt(v, "is empty: leave it out, or name a collection")
	}
	all := make([]Grants, 0, len(entries))
	for _, e := range entries {
		if slices.ContainsFunc(shapes, func(s Shape) bool { return s.Name == e.name }) {
			d.fail(e.key, e.at, "is the name of a shape, too: logs and metrics could not tell them apart")
		}
		all = append(all, readGrants(d, e))
	}
	return all
}

func readGrants(d *document, e entry) Grants {
	g := Grants{Guarded: Guarded{Name: e.name, origin: &d.positions}, ColumnType: columnTypes[0]}
	if !shapeName.MatchString(e.name) {
		d.fail(e.key, e.at, "is no name for a collection: it must match %s", shapeName)
	}
	f, ok := d.fields(e.value, e.at, grantsKeys)
	if !ok {
		return g
	}
	params := readParams(d, f)
	r := ruleReader{d, nil, params}
	if v, ok := f["resource"]; ok {
		g.Resource = r.definition(v.value)
	}
	if v, ok := f["permissions"]; ok {
		g.Permissions = r.permissions(v.value)
	}
	if v, ok := f["column_type"]; ok {
		g.ColumnType = catalogType(d.choice(v.value, "a type for the column id", columnTypes...))
	}
	if v, ok := f["gate"]; ok {
		g.Authorize.Gate = r.requirement(v)
	}
	if v, ok := f["context"]; ok {
		g.Authorize.Context = contextReader{d}.context(v.value)
	}
	if v, ok := f["consistency"]; ok && d.choice(v.value, "a consistency", consistencies...) == "strict" {
		g.Consistency = Strict
	}
	for _, permission := range g.Permissions {
		g.Authorize.Filter = append(g.Authorize.Filter, Filter{Resource: g.Resource, Permission: permission, Column: permission})
	}
	g.Params = params.finish()
	return g
}

func (r ruleReader) permissions(v value) []string {
	items, _ := r.list(v)
	if len(items) > MostPermissions {
		r.failAt(v, "has more than %d permissions", MostPermissions)
	}
	var names []string
	for _, item := range items {
		name := r.permission(item)
		if slices.Contains(names, name) {
			r.failAt(item, "%q is named twice", name)
		}
		names = append(names, name)
	}
	return names
}

// Columns returns the columns of the collection, with the names of their types in Postgres.
func (g *Grants) Columns() []ColumnDescription {
	columns := []ColumnDescription{{Name: idColumn, Type: g.ColumnType}}
	for _, permission := range g.Permissions {
		columns = append(columns, ColumnDescription{Name: permission, Type: "bool"})
	}
	return columns
}
