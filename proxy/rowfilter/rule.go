package rowfilter

import (
	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Rule says what the grants of a shape mean for the rows of its table.
type Rule struct {
	Schema, Table string
	Key           []string // the columns of the primary key, in its order

	// Filters has the column of each filter: a row is visible if the column's value is
	// one of the filter's granted ids.
	Filters []string
}

// column reads one column of a row.
type column = func(name string) (electric.Value, error)

// Permits reports whether grants reach a row, of which of returns the columns. NULL is
// never permitted, nor is a column that the row does not name.
func (r *Rule) Permits(g authz.Grants, of func(name string) (electric.Value, error)) (bool, error) {
	if g.IsEverything() {
		return true, nil
	}
	for i, name := range r.Filters {
		set := g.Set(i)
		if set == nil {
			continue
		}
		v, err := of(name)
		if err != nil {
			return false, err
		}
		if v.Present && !v.Null && set.HasBytes(v.Text) {
			return true, nil
		}
	}
	return false, nil
}

// permitsAny reports whether any of several grants reach a row.
func (r *Rule) permitsAny(all []authz.Grants, of column) (bool, error) {
	for _, g := range all {
		if permitted, err := r.Permits(g, of); err != nil || permitted {
			return permitted, err
		}
	}
	return false, nil
}

// permitsKey reports whether grants reach the row that a key names. A key has the values
// of the primary key alone: where a filter compares another column, the answer is no.
func (r *Rule) permitsKey(g authz.Grants, key string) bool {
	values, ok := electric.KeyColumns(key, r.Schema, r.Table)
	if !ok || len(values) != len(r.Key) {
		return false
	}
	permitted, err := r.Permits(g, func(name string) (electric.Value, error) {
		for i, k := range r.Key {
			if k == name && values[i] != nil {
				return electric.Value{Present: true, Text: []byte(*values[i])}, nil
			}
		}
		return electric.Value{}, nil
	})
	return err == nil && permitted
}

// ByKey reports whether each filter compares the one column of the primary key, so that
// an id is the key of the one row that it makes visible.
func (r *Rule) ByKey() bool {
	for _, name := range r.Filters {
		if len(r.Key) != 1 || r.Key[0] != name {
			return false
		}
	}
	return true
}
