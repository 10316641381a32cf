package electrictest_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
)

func TestTxWritesTypedValues(t *testing.T) {
	w := newWorld(t, electrictest.Options{})
	w.exec(t, `create table typed(a int, b text, n numeric, ok bool, at timestamptz, tags text[], j jsonb, x int default 7, primary key (a))`)
	id, err := w.Tx(func(tx *electrictest.Tx) error {
		if err := tx.Insert("typed", map[string]any{
			"a": 1, "b": "k", "n": "1.5", "ok": true, "at": time.Unix(0, 0), "tags": `{p,"q r"}`, "j": `{"k":1}`,
		}); err != nil {
			return err
		}
		return tx.Update("typed", 1, map[string]any{"b": "l", "n": nil})
	})
	if err != nil || id == 0 {
		t.Fatal(id, err)
	}
	r := w.get(t, "table", "typed", "offset", "-1")
	want := `"value":{"a":"1","at":"1970-01-01 00:00:00+00","b":"l","j":"{\"k\": 1}","n":null,"ok":"true","tags":"{p,\"q r\"}","x":"7"}`
	if !strings.Contains(r.body, want) || strings.Count(r.body, `"key"`) != 1 {
		t.Errorf("body %s", r.body)
	}
	w.exec(t, `create table pairs(a int, b int, primary key (a, b)); insert into pairs values (1, 1)`)
	for name, do := range map[string]func(tx *electrictest.Tx) error{
		"unknown column": func(tx *electrictest.Tx) error {
			return tx.Insert("notes", map[string]any{"id": 1, "owner": "a", "x": 1})
		},
		"unknown table": func(tx *electrictest.Tx) error { return tx.Insert("nope", nil) },
		"no such row":   func(tx *electrictest.Tx) error { return tx.Update("notes", 4, nil) },
		"half a key":    func(tx *electrictest.Tx) error { return tx.Update("pairs", 1, nil) },
		"no value":      func(tx *electrictest.Tx) error { return tx.Insert("notes", map[string]any{"id": struct{}{}}) },
	} {
		if _, err := w.Tx(do); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDemoSchemaRuns(t *testing.T) {
	sql, err := os.ReadFile("../../schema/demo/demo.sql")
	if err != nil {
		t.Fatal(err)
	}
	s := electrictest.New(electrictest.Options{})
	defer s.Close()
	if _, err := s.Exec(string(sql)); err != nil {
		t.Fatal(err)
	}
}
