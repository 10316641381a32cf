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

// apply appends to dst what the reader may see of a message, and reports whether
// that is anything.
//
// An update that takes a row out of what the reader may see becomes a delete of
// the row as it was, one that brings a row in becomes an insert of the row as it
// is, without the values from before. The feed must tell the filter's columns
// before and after an update: a ReplicaFull feed does, and any feed does for
// columns of the primary key, which no update changes.
func (v *visibility) apply(dst []byte, m *electric.Message, keys keyReader) ([]byte, bool, error) {
	if v.all || m.Operation == electric.Control {
		return append(dst, m.Raw...), true, nil
	}
	now, err := v.permits(m.Column)
	if err != nil {
		return dst, false, err
	}
	if m.Operation == electric.Update {
		return v.applyUpdate(dst, m, now)
	}
	if !now {
		return dst, false, nil
	}
	if m.KeyChange != nil && !v.permitsKey(string(m.KeyChange), keys) {
		return m.AppendWithoutKeyChange(dst), true, nil
	}
	return append(dst, m.Raw...), true, nil
}

func (v *visibility) applyUpdate(dst []byte, m *electric.Message, now bool) ([]byte, bool, error) {
	before, err := v.permits(m.OldColumn)
	switch {
	case err != nil:
		return dst, false, err
	case now && before:
		return append(dst, m.Raw...), true, nil
	case now:
		return m.AppendAs(dst, electric.Insert), true, nil
	case before:
		return m.AppendAs(dst, electric.Delete), true, nil
	default:
		return dst, false, nil
	}
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
