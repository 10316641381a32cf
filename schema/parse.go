package schema

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
)

// shapeName is what a shape may be called. It is a part of a URL that needs no
// escaping, and of metrics.
var shapeName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// File is what a file of shape definitions defines.
type File struct {
	Shapes []Shape  // by name
	Grants []Grants // by name
}

// Guarded returns what the shapes and the collections of grants have in common.
func (f File) Guarded() []*Guarded {
	all := make([]*Guarded, 0, len(f.Shapes)+len(f.Grants))
	for i := range f.Shapes {
		all = append(all, &f.Shapes[i].Guarded)
	}
	for i := range f.Grants {
		all = append(all, &f.Grants[i].Guarded)
	}
	return all
}

// Load reads the definitions of the file at path. See Parse.
func Load(path string) (File, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return File{}, fmt.Errorf("read shape definitions: %w", err)
	}
	return Parse(path, data)
}

// Parse reads definitions in YAML.
//
// filename is used in errors only. If anything is wrong there are no definitions, and
// the error joins an *Error for each thing that is, in the order of the file.
func Parse(filename string, data []byte) (File, error) {
	d, root, ok := openDocument(filename, data)
	if !ok {
		return File{}, join(d.errs)
	}
	var f File
	if top, ok := d.fields(root, position{1, 1}, fileKeys); ok {
		if list, ok := top["shapes"]; ok {
			f.Shapes = readShapes(d, list.value)
		}
		if list, ok := top["grants"]; ok {
			f.Grants = readAllGrants(d, list.value, f.Shapes)
		}
	}
	if len(d.errs) > 0 {
		return File{}, join(d.errs)
	}
	slices.SortFunc(f.Shapes, func(a, b Shape) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(f.Grants, func(a, b Grants) int { return cmp.Compare(a.Name, b.Name) })
	return f, nil
}

func readShapes(d *document, v value) []Shape {
	entries, ok := d.mapping(v)
	if ok && len(entries) == 0 {
		d.failAt(v, "is empty: name at least one shape")
	}
	shapes := make([]Shape, 0, len(entries))
	for _, e := range entries {
		shapes = append(shapes, readShape(d, e))
	}
	return shapes
}

func readShape(d *document, e entry) Shape {
	shape := Shape{Guarded: Guarded{Name: e.name, origin: &d.positions}}
	if !shapeName.MatchString(e.name) {
		d.fail(e.key, e.at, "is no name for a shape: it must match %s", shapeName)
	}
	f, ok := d.fields(e.value, e.at, shapeKeys)
	if !ok {
		return shape
	}
	params := readParams(d, f)
	if v, ok := f["table"]; ok {
		shape.Table = readTable(d, v.value)
	}
	if v, ok := f["columns"]; ok {
		shape.Columns = readColumns(d, v.value)
	}
	if v, ok := f["where"]; ok {
		shape.Where = readWhere(d, v.value, params)
	}
	if v, ok := f["authorize"]; ok {
		shape.Authorize = ruleReader{d, shape.Columns, params}.rule(v)
	}
	if v, ok := f["consistency"]; ok && d.choice(v.value, "a consistency", consistencies...) == "strict" {
		shape.Consistency = Strict
	}
	if v, ok := f["first_read"]; ok {
		shape.FirstRead = readFirstRead(d, v.value, shape.Authorize)
	}
	if v, ok := f["narrowing"]; ok && d.choice(v.value, "a narrowing", narrowings...) == "refused" {
		shape.Narrowing = NarrowingRefused
	}
	shape.Params = params.finish()
	return shape
}

func readTable(d *document, v value) Table {
	text, ok := d.text(v)
	if !ok {
		return Table{}
	}
	table, err := ParseTable(text)
	if err != nil {
		d.failAt(v, "%v", err)
	}
	return table
}

func readColumns(d *document, v value) []string {
	items, ok := d.list(v)
	if !ok {
		return nil
	}
	var columns []string
	for _, item := range items {
		name, ok := d.text(item)
		if !ok {
			continue
		}
		switch err := checkIdentifier(name); {
		case err != nil:
			d.failAt(item, "%v", err)
		case slices.Contains(columns, name):
			d.failAt(item, "column %q is named twice", name)
		default:
			columns = append(columns, name)
		}
	}
	return columns
}

func readFirstRead(d *document, v value, rule Authorize) FirstRead {
	switch {
	case d.choice(v, "a first read", firstReads...) != "stored":
	case len(rule.Filter) > 0:
		d.failAt(v, "stored is not possible with a filter: Electric's stored log holds every row, and its past")
	case rule.Unrestricted != nil:
		d.failAt(v, "stored is not possible with unrestricted: Electric's stored log holds every row, and its past")
	default:
		return Stored
	}
	return Snapshot
}
