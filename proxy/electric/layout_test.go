package electric

import (
	"reflect"
	"testing"
)

// FuzzLayout reads a row after another one, whose layout it may have, and wants what is
// read of it alone.
func FuzzLayout(f *testing.F) {
	const row = `{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1","a":null,"b":"x"},"headers":{"operation":"insert"}}`
	for _, other := range []string{
		row, insertMessage, deleteMessage, ``, `{}`,
		`{"key":"\"public\".\"t\"/\"23\"","value":{"id":"23","a":"{\\\"","b":null},"headers":{"operation":"insert"}}, {"key":`,
		`{"key":"\"public\".\"t\"/\"2\"","value":{"id":"2","a":"","b":{"c":[1]}},"headers":{"operation":"insert"}}`,
		`{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1","b":"x","a":null},"headers":{"operation":"insert"}}`,
		`{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1","a":null,"b":"x"},"headers":{"operation":"insert"},"headers":{"operation":"delete"}}`,
		`{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1","a":null,"b":"x"},"headers":{"operation":"delete"}}`,
		`{"value":{"id":"1","a":nul,"b":"x"},"key":"\"public\".\"t\"/\"1\"","headers":{"operation":"insert"}}`,
	} {
		f.Add([]byte(row), []byte(other))
		f.Add([]byte(other), []byte(row))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var after rowScanner
		var m, alone Message
		_, _ = after.scan(first, &m)
		end, err := after.scan(second, &m)
		wantEnd, wantErr := new(messageScanner).scan(second, &alone)
		if (err == nil) != (wantErr == nil) || err == nil && (end != wantEnd || !reflect.DeepEqual(m, alone)) {
			t.Errorf("%s\nafter %s\nis %+v to %d, %v\nalone %+v to %d, %v", second, first, m, end, err, alone, wantEnd, wantErr)
		}
	})
}

func TestRowsAlikeAreReadByTheirLayout(t *testing.T) {
	var s rowScanner
	var m Message
	for _, row := range []string{
		`{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1","a":null},"headers":{"operation":"insert"}}`,
		`{"key":"\"public\".\"t\"/\"a\\\"/b\"","value":{"id":"a\\\"/b","a":"x"},"headers":{"operation":"insert"}}`,
	} {
		end, err := s.scan([]byte(row+","), &m)
		if err != nil || end != len(row) {
			t.Fatal(end, err)
		}
		if v, err := m.Column("a"); err != nil || m.Operation != Insert || !v.Present {
			t.Errorf("%+v", m)
		}
	}
	if s.learned != 1 {
		t.Errorf("%d layouts were learnt of rows that are alike", s.learned)
	}
	if string(m.key) != `"\"public\".\"t\"/\"a\\\"/b\""` || string(m.headers) != `{"operation":"insert"}` {
		t.Errorf("key %s, headers %s", m.key, m.headers)
	}
}
