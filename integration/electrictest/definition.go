package electrictest

import "fmt"

// definition is what a request says a shape is: a table, a main where, columns,
// and how its log is written. It never changes.
type definition struct {
	encoding
	where       *condition
	queryable   []int // the columns that a subset may name; nil for all
	changesOnly bool  // log=changes_only

	// identity is equal for two definitions of one shape. As in Electric, it
	// leaves queryable columns out, so long as they select the same columns.
	identity string
}

// define validates the parameters that define a shape on a table.
func define(t *table, p *params, errs fieldErrors) *definition {
	d := &definition{changesOnly: p.log == "changes_only"}
	d.table, d.full = t, p.replica == "full"
	if !d.chooseColumns(p, errs) {
		return nil
	}
	var err error
	if p.where != "" {
		if msg := validateParams(p.params); msg != "" {
			errs.add("params", msg)
			return nil
		}
		d.where, err = compileCondition(p.where, p.params, t.scope(nil), "subqueries are not imitated")
		if err != nil {
			errs.add("where", err.Error())
			return nil
		}
	}
	if d.identity, err = d.identify(p); err != nil {
		errs.add("where", err.Error())
		return nil
	}
	d.spellNames()
	return d
}

func (d *definition) chooseColumns(p *params, errs fieldErrors) bool {
	t := d.table
	var ok bool
	if p.queryable != nil {
		if d.queryable, ok = t.resolve(p.queryable, nil, "queryable_columns",
			"The list of queryable columns must include all primary key columns, missing: ",
			"The following queryable columns are not found on the table: ", errs); !ok {
			return false
		}
	}
	switch {
	case p.columns != nil:
		if d.selected, ok = t.resolve(p.columns, d.queryable, "columns",
			"The list of columns must include all primary key columns, missing: ",
			"The following columns are not found on the table: ", errs); !ok {
			return false
		}
	case d.queryable != nil:
		d.selected = d.queryable
	default:
		for i := range t.columns {
			d.selected = append(d.selected, i)
		}
		t.sortByName(d.selected)
	}
	return true
}

func (d *definition) identify(p *params) (string, error) {
	where, err := d.where.identity()
	if err != nil {
		return "", err
	}
	all := p.columns == nil && p.queryable == nil
	return fmt.Sprintf("%s\x00%v\x00%t\x00%t\x00%t\x00%s",
		d.table.rel, d.selected, all, d.full, d.changesOnly, where), nil
}
