package electrictest

import "testing"

func TestTheSchemaHeaderTellsHowTypesWereDeclared(t *testing.T) {
	s := New(Options{})
	t.Cleanup(s.Close)
	if _, err := s.Exec(`create table d(id int primary key, c varchar(10), f char(4), n numeric(10,2), w numeric(5), at timestamptz(3), tags varchar(9)[] not null)`); err != nil {
		t.Fatal(err)
	}
	tab := s.catalog.tables[relation{"public", "d"}]
	want := `{"id":{"type":"int4","not_null":true,"pk_index":0},"c":{"type":"varchar","max_length":10},"f":{"type":"bpchar","length":4},` +
		`"n":{"type":"numeric","precision":10,"scale":2},"w":{"type":"numeric","precision":5,"scale":0},"at":{"type":"timestamptz","precision":3},` +
		`"tags":{"type":"varchar","not_null":true,"dims":1,"max_length":9}}`
	if got := tab.schemaHeader([]int{0, 1, 2, 3, 4, 5, 6}); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
