package proxy

import (
	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// visibility says of a row whether one reader may see it. It is a value: made
// from one decision, it never asks anybody anything and never changes.
type visibility struct {
	all     bool
	columns []columnGrants
}

// columnGrants makes a row visible whose column holds one of the ids.
type columnGrants struct {
	column string
	grants *authz.GrantSet
}

// permits reports whether a row is visible, given how to read its columns. NULL
// is never permitted, nor is a column that the row does not tell.
func (v *visibility) permits(column func(string) (electric.Value, error)) (bool, error) {
	if v.all {
		return true, nil
	}
	for _, c := range v.columns {
		value, err := column(c.column)
		if err != nil {
			return false, err
		}
		if value.Present && !value.Null && c.grants.HasBytes(value.Text) {
			return true, nil
		}
	}
	return false, nil
}

// permitsKey reports whether the row that a key names is surely visible. A key
// tells only the columns of the primary key: where visibility rests on others,
// it does not tell, and the answer is no.
func (v *visibility) permitsKey(key string, keys keyReader) bool {
	values, ok := keys.columns(key)
	if !ok {
		return false
	}
	visible, err := v.permits(func(name string) (electric.Value, error) {
		text, ok := values[name]
		if !ok {
			return electric.Value{}, nil
		}
		return electric.Value{Present: true, Null: text == nil, Text: bytesOf(text)}, nil
	})
	return err == nil && visible
}

func bytesOf(s *string) []byte {
	if s == nil {
		return nil
	}
	return []byte(*s)
}

// keyReader reads the keys of one table's rows.
type keyReader struct {
	schema, table string
	key           []string // the primary key's columns
}

func (r keyReader) columns(key string) (map[string]*string, bool) {
	values, ok := electric.KeyColumns(key, r.schema, r.table)
	if !ok || len(values) != len(r.key) {
		return nil, false
	}
	named := make(map[string]*string, len(values))
	for i, name := range r.key {
		named[name] = values[i]
	}
	return named, true
}
