package electrictest

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhatPeopleWriteInTheirSQL runs the SQL of tables and rows as it is found in files,
// and looks at the rows.
func TestWhatPeopleWriteInTheirSQL(t *testing.T) {
	s := New(Options{})
	t.Cleanup(s.Close)
	sql := `
		CREATE SCHEMA app;
		CREATE EXTENSION IF NOT EXISTS pgcrypto;
		CREATE TABLE IF NOT EXISTS app.people (
			id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			token uuid NOT NULL DEFAULT gen_random_uuid(),
			name text UNIQUE,
			seen timestamptz DEFAULT now(), made timestamp DEFAULT CURRENT_TIMESTAMP, day date DEFAULT CURRENT_DATE
		);
		CREATE INDEX ON app.people (name);
		ALTER TABLE app.people ADD CONSTRAINT named CHECK (name <> '');
		ALTER TABLE app.people REPLICA IDENTITY FULL;
		DROP TABLE IF EXISTS app.nobody;`
	for range 2 { // IF NOT EXISTS
		if _, err := s.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Exec(`
		INSERT INTO app.people (name) VALUES ('a'), (DEFAULT);
		INSERT INTO app.people DEFAULT VALUES;
		INSERT INTO app.people (id, name) VALUES (1, 'again') ON CONFLICT DO NOTHING;
		UPDATE app.people SET name = DEFAULT, seen = now() WHERE id = 1;
		COMMENT ON TABLE app.people IS 'who is there'`); err != nil {
		t.Fatal(err)
	}
	_, rows, err := s.Query(`SELECT id, name, token, seen, made, day FROM app.people ORDER BY id`)
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	tokens := make(map[string]bool)
	for i, row := range rows {
		if *row[0] != fmt.Sprint(i+1) || row[1] != nil {
			t.Errorf("row %d: id %s, name %v", i, *row[0], row[1])
		}
		tokens[*row[2]] = isUUID(*row[2])
		for n, k := range []kind{kindTimestamptz, kindTimestamp, kindDate} {
			if micros, err := parseTime(k, *row[3+n]); err != nil || micros == 0 {
				t.Errorf("row %d: time %q (%v)", i, *row[3+n], err)
			}
		}
	}
	if len(tokens) != 3 {
		t.Errorf("the defaults are not made for each row: %v", tokens)
	}
	if _, err := s.Exec(`DROP TABLE app.people`); err != nil {
		t.Fatal(err)
	}
}

func TestSQLThatIsNotImitatedIsRefused(t *testing.T) {
	s := newTypes(t)
	for sql, want := range map[string]string{
		`create table v(id int primary key)`:                                 "already exists",
		`create table x(a int, primary key (b))`:                             "does not exist",
		`create table x(a int, b int generated always as (a) stored)`:        "generated columns",
		`create table x(a int) partition by hash (a)`:                        "by range or list of one column",
		`create table x partition of v default`:                              "is not partitioned",
		`create view x as select 1`:                                          "is not imitated",
		`drop view x`:                                                        "is not imitated",
		`drop table x`:                                                       "does not exist",
		`alter table v add column x int`:                                     "is not imitated",
		`insert into v (nope) values (1)`:                                    `column "nope"`,
		`insert into v (id) values (3, 4)`:                                   "more expressions than target columns",
		`insert into v (id) values (1) on conflict (id) do update set i = 1`: "DO UPDATE",
		`insert into v (id) select 3`:                                        "generate_series",
		`update v set i = x.i from x`:                                        "UPDATE … FROM",
		`delete from v using x`:                                              "DELETE … USING",
		`update v set i = substr('a', 1)`:                                    "function substr/2",
	} {
		if _, err := s.Exec(sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
}
