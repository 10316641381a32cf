package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/shapegate/shapegate/schema"
)

// proposal is a shape to be written.
type proposal struct {
	name    string
	table   schema.Table
	remarks []string // paragraphs that stand before it
	open    string   // why it is commented out; empty: it is active
	columns []string
	filters []schema.Filter
	scope   *scope   // in place of filters
	context []string // parameters of caveats
	absent  bool     // there is nothing to be written but the remarks
}

// scope restricts a shape to the rows of one object, which a param names.
type scope struct {
	definition, permission string
	param, column          string
}

// decider decides table by table.
type decider struct {
	source Source
	named  *names

	// namesakes are the definitions that each table is named like, and owners the tables
	// that are named like each definition.
	namesakes map[schema.Table][]*schema.Definition
	owners    map[string][]schema.Table
}

func newDecider(tables []Table, s Source) *decider {
	s.Definitions = slices.SortedFunc(slices.Values(s.Definitions), func(a, b schema.Definition) int { return strings.Compare(a.Name, b.Name) })
	d := &decider{source: s, named: newNames(tables), namesakes: map[schema.Table][]*schema.Definition{}, owners: map[string][]schema.Table{}}
	for i := range tables {
		found := namesake(tables[i].Name, s.Definitions)
		d.namesakes[tables[i].Table] = found
		for _, definition := range found {
			d.owners[definition.Name] = append(d.owners[definition.Name], tables[i].Table)
		}
	}
	return d
}

// decide returns the shape of a table.
func (d *decider) decide(t *Table) *proposal {
	p := &proposal{name: d.named.of(t.Table), table: t.Table}
	if p.open = t.unfit(); p.open != "" {
		p.absent = true
		return p
	}
	var leftOut string
	p.columns, leftOut = t.shown()
	switch found := d.namesakes[t.Table]; len(found) {
	case 0:
		d.byReference(t, p)
	case 1:
		d.byName(t, p, found[0])
	default:
		p.open = "several definitions are named like it: " + strings.Join(definitionNames(found), ", ")
		p.filters = []schema.Filter{{Resource: choose, Permission: choose, Column: keyColumn(t)}}
	}
	if reason := t.unfitKey(); reason != "" {
		p.open, p.context = reason, nil
	}
	if p.open == "" {
		f := p.filters[0]
		p.remarks = append(p.remarks, fmt.Sprintf("A row of %s is visible to whoever has the permission %s on the %s of its %s.",
			t.Table, f.Permission, baseName(f.Resource), f.Column))
	}
	if leftOut != "" {
		p.remarks = append(p.remarks, leftOut)
	}
	return p
}

// byName decides for a table that is named like one definition.
func (d *decider) byName(t *Table, p *proposal, definition *schema.Definition) {
	permission, noPermission := readPermission(definition)
	p.filters = []schema.Filter{{Resource: definition.Name, Permission: permission, Column: keyColumn(t)}}
	var open []string
	if owners := d.owners[definition.Name]; len(owners) > 1 {
		open = append(open, fmt.Sprintf("several tables are named like %s, so that one id may stand for rows of each: %s", definition.Name, tableNames(owners)))
	}
	if noPermission != "" {
		open = append(open, noPermission)
	}
	switch {
	case len(t.Key) > 1:
		open = append(open, fmt.Sprintf("its primary key has several columns (%s): choose the one that holds the ids of %s", strings.Join(t.Key, ", "), definition.Name))
	case p.filters[0].Column == choose:
		open = append(open, fmt.Sprintf("its primary key %s is of a type that cannot hold object ids", t.Key[0]))
	}
	if p.open = strings.Join(open, "; "); p.open == "" {
		p.context = d.source.Parameters[schema.Permission{Definition: definition.Name, Name: permission}]
	}
}

// byReference decides for a table that no definition is named like: never for an active
// shape.
func (d *decider) byReference(t *Table, p *proposal) {
	references := d.references(t)
	if len(references) == 0 {
		p.open = "no definition is named like it, and it has no column that is named after one, such as project_id"
		p.filters = []schema.Filter{{Resource: choose, Permission: choose, Column: keyColumn(t)}}
		return
	}
	columns := make([]string, len(references))
	for i, r := range references {
		columns[i] = r.column
		p.filters = append(p.filters, schema.Filter{Resource: r.definition, Permission: r.permission, Column: r.column})
	}
	p.open = "no definition is named like it; its rows may be those of " + strings.Join(columns, " or ")
	p.remarks = append(p.remarks, choicesOf(references)...)
	if len(references) > 1 {
		p.remarks = append(p.remarks, "Keep the entries of the filter that are meant: a row is visible if any of them matches.")
	}
}

// reference is a column that is named after a definition.
type reference struct {
	scope
	open string // why there is no permission
}

// references returns the columns of a table that are named <definition>_id. Definitions
// without permissions, such as user most often, are none to ask about.
func (d *decider) references(t *Table) []reference {
	var all []reference
	for _, c := range t.Columns {
		base, ok := strings.CutSuffix(snake(c.Name), "_id")
		if !ok || c.Dims > 0 || !schema.HoldsIDs(c.Type) || c.Generated || isSecret(c.Name) {
			continue
		}
		for i := range d.source.Definitions {
			definition := &d.source.Definitions[i]
			if baseName(definition.Name) != base || len(definition.Permissions) == 0 {
				continue
			}
			permission, open := readPermission(definition)
			param := base
			if schema.CheckParam(param) != nil {
				param = "of_" + base
			}
			all = append(all, reference{scope{definition.Name, permission, param, c.Name}, open})
		}
	}
	return all
}

// scoped returns a shape for the rows of one object, for each column that is named after
// a definition.
func (d *decider) scoped(t *Table) []*proposal {
	if t.unfit() != "" || t.unfitKey() != "" {
		return nil
	}
	var all []*proposal
	for _, r := range d.references(t) {
		columns, _ := t.shown()
		remark := fmt.Sprintf("Or the rows of one %s, asked for with ?%s=…: one check, no list of ids. Whoever has the permission on the %s sees all of them",
			baseName(r.definition), r.param, baseName(r.definition))
		if found := d.namesakes[t.Table]; len(found) == 1 {
			remark += ", also those that the permissions of " + found[0].Name + " hide"
		}
		remark += "."
		all = append(all, &proposal{
			name: d.named.take(snake(t.Name) + "_by_" + r.param), table: t.Table, columns: columns, scope: &r.scope,
			remarks: append([]string{remark}, choicesOf([]reference{r})...), open: "a proposal",
		})
	}
	return all
}

// unused returns the definitions with permissions that no table is named like.
func (d *decider) unused() []string {
	var all []string
	for _, definition := range d.source.Definitions {
		if len(definition.Permissions) > 0 && len(d.owners[definition.Name]) == 0 {
			all = append(all, definition.Name)
		}
	}
	return all
}

// shown returns the columns of a table that a shape is to have, and what to say of the
// others.
func (t *Table) shown() (columns []string, leftOut string) {
	var generated, secret []string
	for _, c := range t.Columns {
		switch {
		case slices.Contains(t.Key, c.Name):
			columns = append(columns, c.Name)
		case c.Generated:
			generated = append(generated, c.Name)
		case isSecret(c.Name):
			secret = append(secret, c.Name)
		default:
			columns = append(columns, c.Name)
		}
	}
	var parts []string
	if len(secret) > 0 {
		parts = append(parts, strings.Join(secret, ", ")+" (named like a secret)")
	}
	if len(generated) > 0 {
		parts = append(parts, strings.Join(generated, ", ")+" (generated: Postgres before 18 does not replicate it)")
	}
	if len(parts) > 0 {
		leftOut = "Columns left out: " + strings.Join(parts, "; ") + "."
	}
	return columns, leftOut
}

// unfit returns why there can be no shape of the table; empty if there can be one.
func (t *Table) unfit() string {
	if len(t.Key) == 0 {
		return "it has no primary key, by which Electric identifies rows"
	}
	names := []string{t.Schema, t.Name}
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	for _, name := range names {
		if strings.ContainsFunc(name, unicode.IsControl) {
			return fmt.Sprintf("the name %q has control characters", name)
		}
	}
	return ""
}

// unfitKey returns why the primary key, which every shape has among its columns, should not
// be sent; empty if it may be.
func (t *Table) unfitKey() string {
	for _, c := range t.Columns {
		switch {
		case !slices.Contains(t.Key, c.Name):
		case c.Generated:
			return fmt.Sprintf("its primary key has the generated column %s, which Postgres before 18 does not replicate", c.Name)
		case isSecret(c.Name):
			return fmt.Sprintf("its primary key has the column %s, which is named like a secret, and clients get the whole key", c.Name)
		}
	}
	return ""
}

// keyColumn returns the column of a filter by the primary key, or choose.
func keyColumn(t *Table) string {
	if len(t.Key) == 1 {
		for _, c := range t.Columns {
			if c.Name == t.Key[0] && c.Dims == 0 && schema.HoldsIDs(c.Type) {
				return c.Name
			}
		}
	}
	return choose
}

// choicesOf says which permissions are to be chosen.
func choicesOf(references []reference) []string {
	reasons := map[string]bool{}
	for _, r := range references {
		if r.open != "" {
			reasons["To choose: "+r.open+"."] = true
		}
	}
	return slices.Sorted(maps.Keys(reasons))
}

func definitionNames(all []*schema.Definition) []string {
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.Name
	}
	return names
}

func tableNames(all []schema.Table) string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}
