package electrictest

import (
	"fmt"
	"testing"
)

func TestFailedTransactionChangesNothing(t *testing.T) {
	s := New(Options{})
	if _, err := s.Exec(`create table f(id serial primary key, t text not null); insert into f(t) values ('a'), ('b'), ('c')`); err != nil {
		t.Fatal(err)
	}
	dump := func() string {
		tab := s.catalog.tables[relation{"public", "f"}]
		out := ""
		for pos, r := range tab.rows.view().all() {
			at, ok := tab.find(r.key)
			out += fmt.Sprint(r.key, r.cells[1].text, pos == at, ok, " ")
		}
		return out + fmt.Sprint(len(tab.index), tab.rows.live, tab.rows.n)
	}
	before := dump()
	for _, sql := range []string{
		`insert into f(t) values ('d'); update f set id = 9 where t = 'a'; delete from f where t = 'b'; insert into f(t) values (null)`,
		`truncate f; insert into f values (1, 'x'), (1, 'y')`,
		`update f set id = id + 1`,
		`create table g(id int primary key); insert into g values (1); insert into nope values (1)`,
	} {
		if _, err := s.Exec(sql); err == nil {
			t.Errorf("%s does not fail", sql)
		}
		if after := dump(); after != before {
			t.Errorf("%s leaves %s, want %s", sql, after, before)
		}
	}
	if _, err := s.Exec(`insert into g values (1)`); err == nil {
		t.Error("a table of a failed transaction exists")
	}
}
