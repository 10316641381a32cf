package electrictest

import "testing"

func TestOrderBy(t *testing.T) {
	s := New(Options{})
	if _, err := s.Exec(`create table o(id int primary key, n int, t text);
		insert into o values (1, 2, 'b'), (2, null, 'a'), (3, 10, 'b'), (4, 2, 'a')`); err != nil {
		t.Fatal(err)
	}
	tab := s.catalog.tables[relation{"public", "o"}]
	for order, want := range map[string]string{
		"n":                    "1432",
		"n desc":               "2314",
		"n nulls first":        "2143",
		"n desc nulls last, t": "3412",
		`"t" desc, "id" desc`:  "3142",
		"t, n desc nulls last": "4231",
	} {
		keys, err := parseOrderBy(order, tab.scope(nil))
		if err != nil {
			t.Fatal(err)
		}
		var rows []*row
		for _, r := range tab.rows.view().all() {
			rows = append(rows, r)
		}
		sortRows(rows, keys)
		got := ""
		for _, r := range rows {
			got += r.cells[0].text
		}
		if got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
	}
	for _, order := range []string{"nope", "lower(t)", "t; drop table o", "$1", "t limit 1 for update", "t collate \"C\""} {
		if _, err := parseOrderBy(order, tab.scope(nil)); err == nil {
			t.Errorf("%s is accepted", order)
		}
	}
}
