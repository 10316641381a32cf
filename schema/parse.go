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

// Load reads the shape definitions of the file at path. See Parse.
func Load(path string) ([]Shape, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read shape definitions: %w", err)
	}
	return Parse(path, data)
}

// Parse reads shape definitions in YAML and returns them sorted by name.
//
// filename is used in errors only. If anything is wrong there are no shapes, and
// the error joins an *Error for each thing that is, in the order of the file.
func Parse(filename string, data []byte) ([]Shape, error) {
	d, root, ok := openDocument(filename, data)
	if !ok {
		return nil, join(d.errs)
	}
	var shapes []Shape
	if top, ok := d.fields(root, position{1, 1}, "shapes"); ok {
		if list, ok := top.entries["shapes"]; !ok {
			d.fail("shapes", top.at, "is missing")
		} else {
			shapes = d.shapes(list.value)
		}
	}
	if len(d.errs) > 0 {
		return nil, join(d.errs)
	}
	slices.SortFunc(shapes, func(a, b Shape) int { return cmp.Compare(a.Name, b.Name) })
	return shapes, nil
}

func (d *document) shapes(v value) []Shape {
	entries, ok := d.mapping(v)
	if ok && len(entries) == 0 {
		d.failAt(v, "is empty: name at least one shape")
	}
	shapes := make([]Shape, 0, len(entries))
	for _, e := range entries {
		shapes = append(shapes, d.shape(e))
	}
	return shapes
}

func (d *document) shape(e entry) Shape {
	shape := Shape{Name: e.name, origin: &d.positions}
	if !shapeName.MatchString(e.name) {
		d.fail(e.key, e.at, "is no name for a shape: it must match %s", shapeName)
	}
	f, ok := d.fields(e.value, e.at, "table", "columns", "params", "where", "authorize", "consistency", "first_read", "narrowing")
	if !ok {
		return shape
	}
	params := d.params(f)
	if v, ok := d.require(f, "table"); ok {
		shape.Table = d.table(v.value)
	}
	if v, ok := d.require(f, "columns"); ok {
		shape.Columns = d.columns(v.value)
	}
	if v, ok := f.entries["where"]; ok {
		shape.Where = d.where(v.value, params)
	}
	if v, ok := d.require(f, "authorize"); ok {
		shape.Authorize = d.authorize(v, shape.Columns, params)
	}
	if v, ok := f.entries["consistency"]; ok {
		shape.Consistency = d.consistency(v.value)
	}
	if v, ok := f.entries["first_read"]; ok {
		shape.FirstRead = d.firstRead(v, shape.Authorize)
	}
	if v, ok := f.entries["narrowing"]; ok {
		shape.Narrowing = d.narrowing(v.value)
	}
	shape.Params = params.finish(d)
	return shape
}

func (d *document) columns(v value) []string {
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

func (d *document) consistency(v value) Consistency {
	text, ok := d.text(v)
	if !ok {
		return Bounded
	}
	switch text {
	case "bounded":
		return Bounded
	case "strict":
		return Strict
	}
	d.failAt(v, "%q is not a consistency%s", text, cmp.Or(didYouMean(text, []string{"bounded", "strict"}), ": bounded or strict"))
	return Bounded
}

func (d *document) firstRead(e entry, rule Authorize) FirstRead {
	text, ok := d.text(e.value)
	switch {
	case !ok:
	case text == "snapshot":
	case text != "stored":
		d.failAt(e.value, "%q is not a first read%s", text, cmp.Or(didYouMean(text, []string{"snapshot", "stored"}), ": snapshot or stored"))
	case len(rule.Filter) > 0:
		d.failAt(e.value, "stored is not possible with a filter: Electric's stored log holds every row, and its past")
	case rule.Unrestricted != nil:
		d.failAt(e.value, "stored is not possible with unrestricted: Electric's stored log holds every row, and its past")
	default:
		return Stored
	}
	return Snapshot
}

func (d *document) narrowing(v value) Narrowing {
	text, ok := d.text(v)
	switch {
	case !ok:
	case text == "served":
	case text == "refused":
		return NarrowingRefused
	default:
		d.failAt(v, "%q is not a narrowing%s", text, cmp.Or(didYouMean(text, []string{"served", "refused"}), ": served or refused"))
	}
	return NarrowingServed
}
