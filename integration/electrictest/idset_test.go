package electrictest

import (
	"fmt"
	"testing"
)

// TestKeyLookupFindsWhatAScanFinds compares both ways to answer a subset.
func TestKeyLookupFindsWhatAScanFinds(t *testing.T) {
	s := New(Options{})
	if _, err := s.Exec(`create table k(id text primary key, n int);
		insert into k select 'id/' || i::text, i from generate_series(1, 700) as i;
		delete from k where n between 100 and 600; update k set id = 'new' where n = 5`); err != nil {
		t.Fatal(err)
	}
	tab := s.catalog.tables[relation{"public", "k"}]
	for where, byKey := range map[string]bool{
		"id = 'id/7'": true,
		"id = any('{id/7,id/650,id/7,id/300,new}')": true,
		"id in ('id/1', 'id/2') and n > 1":          true,
		"n > 3 and id = any('{id/3,id/4}')":         true,
		"id = 'id/7' or n = 8":                      false,
		"not id = 'id/7'":                           false,
		"id <> all('{id/7}')":                       false,
		"id = null":                                 true,
		"id = 'id/5'":                               true,
	} {
		c, err := compileCondition(where, nil, tab.scope(nil), "")
		if err != nil {
			t.Fatal(err)
		}
		if (c.expr.ids != nil) != byKey {
			t.Errorf("%s: by key %t, want %t", where, !byKey, byKey)
			continue
		}
		var scanned, found []string
		for _, r := range tab.rows.view().all() {
			if c.holds(r) {
				scanned = append(scanned, r.key)
			}
		}
		if byKey {
			for _, r := range tab.lookup(c.expr.ids) {
				if c.holds(r) {
					found = append(found, r.key)
				}
			}
			if fmt.Sprint(found) != fmt.Sprint(scanned) {
				t.Errorf("%s: %v by key, %v by scan", where, found, scanned)
			}
		}
	}
}
