package electrictest

import (
	"fmt"
	"strings"
	"testing"
)

func TestQueryShowsRows(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	if _, err := s.Exec(`CREATE TABLE notes (id int PRIMARY KEY, title text, done bool);
		INSERT INTO notes VALUES (10, 'b', true), (9, 'a', false), (11, NULL, false)`); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		"SELECT * FROM notes WHERE id = 9":                              "id,title,done: 9,a,false",
		"SELECT title, id FROM notes ORDER BY id":                       "title,id: a,9; b,10; NULL,11",
		"SELECT id FROM notes ORDER BY title DESC LIMIT 2":              "id: 11; 10",
		"select id from public.notes where not done order by id desc":   "id: 11; 9",
		"SELECT id FROM notes WHERE title IS NULL OR title = 'nothing'": "id: 11",
		"SELECT id FROM notes WHERE id = 12":                            "id:",
		"SELECT count(*) FROM notes":                                    "is imitated",
		"SELECT id FROM notes, notes":                                   "is imitated",
		"SELECT id FROM notes OFFSET 1":                                 "is imitated",
		"SELECT nothing FROM notes":                                     "does not exist",
		"SELECT id FROM nothing":                                        "does not exist",
		"DELETE FROM notes":                                             "one SELECT",
		"SELECT id FROM notes; SELECT id FROM notes":                    "one SELECT",
		"SELEC id": "syntax error",
	} {
		columns, rows, err := s.Query(sql)
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", sql, err)
			}
			continue
		}
		var lines []string
		for _, row := range rows {
			var values []string
			for _, v := range row {
				if v == nil {
					v = new("NULL")
				}
				values = append(values, *v)
			}
			lines = append(lines, strings.Join(values, ","))
		}
		if got := strings.TrimSuffix(fmt.Sprintf("%s: %s", strings.Join(columns, ","), strings.Join(lines, "; ")), " "); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
}
