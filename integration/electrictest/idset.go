package electrictest

import "slices"

// idSet names rows by the text of a column that is the whole primary key.
type idSet struct{ texts []string }

// indexable reports whether equal values of a type have equal texts.
func indexable(t typ) bool {
	switch t.kind() {
	case kindInt, kindUUID:
		return true
	case kindText:
		return t.name != "bpchar"
	default:
		return false
	}
}

// keySet returns the rows that a = b speaks of, where one side is the primary
// key and the other a constant.
func (s *scope) keySet(a, b *expr) *idSet {
	if b.column == s.key && b.column >= 0 {
		a, b = b, a
	}
	if s.key < 0 || a.column != s.key || !b.constant() || !indexable(a.typ) || a.typ.kind() != b.typ.kind() {
		return nil
	}
	if b.value.null {
		return &idSet{}
	}
	return &idSet{texts: []string{encode(a.typ, b.value)}}
}

// keyList returns the rows that left = ANY(right) speaks of, as keySet does.
func (s *scope) keyList(left, right *expr) *idSet {
	if s.key < 0 || left.column != s.key || !indexable(left.typ) ||
		left.typ.kind() != right.typ.element().kind() {
		return nil
	}
	ids := &idSet{texts: make([]string, 0, len(right.value.list))}
	for _, d := range right.value.list {
		if !d.null {
			ids.texts = append(ids.texts, encode(left.typ, d))
		}
	}
	return ids
}

func joinIDs(a, b *idSet) *idSet {
	if a == nil || b == nil {
		return nil
	}
	return &idSet{texts: append(slices.Clip(a.texts), b.texts...)}
}
