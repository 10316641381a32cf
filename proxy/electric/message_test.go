package electric

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

const (
	insertMessage = `{"value":{"id":"4","project_id":"p2","title":"a \"b\"","meta":null},"key":"\"public\".\"t\"/\"4\"","headers":{"last":true,"relation":["public","t"],"operation":"insert","lsn":"27","txids":[787],"op_position":0}}`
	updateMessage = `{"value":{"id":"3","project_id":"p9","title":"b","meta":"[]"},"key":"\"public\".\"t\"/\"3\"","headers":{"last":true,"relation":["public","t"],"operation":"update","lsn":"28","txids":[796],"op_position":0},"old_value":{"project_id":"p2","title":null}}`
	deleteMessage = `{"value":{"id":"1"},"key":"\"public\".\"t\"/\"1\"","headers":{"relation":["public","t"],"operation":"delete","lsn":"29","txids":[790],"op_position":0,"key_change_to":"\"public\".\"t\"/\"5\""}}`
	upToDate      = `{"headers":{"control":"up-to-date","global_last_seen_lsn":"29"}}`
)

func TestAMessageHasItsOperationAndColumns(t *testing.T) {
	m, err := ParseMessage([]byte(insertMessage))
	if err != nil || m.Operation != Insert {
		t.Fatalf("operation %v, %v", m.Operation, err)
	}
	if v, _ := m.Column("title"); string(v.Text) != `a "b"` {
		t.Errorf("title = %q", v.Text)
	}
	if v, _ := m.Column("meta"); !v.Null || !v.Present {
		t.Errorf("meta = %+v, want NULL", v)
	}
	if v, _ := m.Column("points"); v.Present {
		t.Errorf("points = %+v, want nothing", v)
	}
	if m, _ := ParseMessage([]byte(deleteMessage)); m.Operation != Delete || string(m.KeyChange) != `"public"."t"/"5"` {
		t.Errorf("operation %v, key change %s", m.Operation, m.KeyChange)
	}
	if m, _ := ParseMessage([]byte(upToDate)); m.Operation != Control || m.Control != ControlUpToDate {
		t.Errorf("operation %v, control %q", m.Operation, m.Control)
	}
}

func TestAnUpdateHasTheRowBeforeIt(t *testing.T) {
	m, err := ParseMessage([]byte(updateMessage))
	if err != nil {
		t.Fatal(err)
	}
	for column, want := range map[string]string{"project_id": "p2", "id": "3", "meta": "[]"} {
		if v, _ := m.OldColumn(column); string(v.Text) != want {
			t.Errorf("old %s = %q, want %q", column, v.Text, want)
		}
	}
	if v, _ := m.OldColumn("title"); !v.Null {
		t.Errorf("old title = %+v, want NULL", v)
	}
}

func TestAnUpdateThatBringsARowInIsAnInsertWithoutItsPast(t *testing.T) {
	m, _ := ParseMessage([]byte(updateMessage))
	got := m.AppendAs(nil, Insert)
	sameJSON(t, got, `{"key":"\"public\".\"t\"/\"3\"","value":{"id":"3","project_id":"p9","title":"b","meta":"[]"},
		"headers":{"last":true,"relation":["public","t"],"operation":"insert","lsn":"28","txids":[796],"op_position":0}}`)
}

func TestAnUpdateThatTakesARowOutIsADeleteWithoutItsFuture(t *testing.T) {
	m, _ := ParseMessage([]byte(updateMessage))
	got := m.AppendAs(nil, Delete)
	sameJSON(t, got, `{"key":"\"public\".\"t\"/\"3\"","value":{"id":"3","project_id":"p2","title":null,"meta":"[]"},
		"headers":{"last":true,"relation":["public","t"],"operation":"delete","lsn":"28","txids":[796],"op_position":0}}`)
}

func TestTheOtherHalfOfAKeyChangeCanBeLeftOut(t *testing.T) {
	m, _ := ParseMessage([]byte(deleteMessage))
	got := m.AppendWithoutKeyChange(nil)
	sameJSON(t, got, `{"value":{"id":"1"},"key":"\"public\".\"t\"/\"1\"",
		"headers":{"relation":["public","t"],"operation":"delete","lsn":"29","txids":[790],"op_position":0}}`)
}

func TestWhatIsNotUnderstoodIsAnError(t *testing.T) {
	for _, raw := range []string{
		`{}`, `{"headers":{}}`, `{"headers":null}`, `{"headers":{"operation":"upsert"},"key":"k","value":{}}`,
		`{"headers":{"event":"move-out","patterns":[]}}`, `{"headers":{"operation":"insert"},"value":{"id":"1"}}`,
		`{"headers":{"operation":"insert"},"key":"k"}`, `{"headers":{"operation":"insert"},"key":"k","value":[1]}`,
		`{"headers":{"operation":"insert","control":"up-to-date"},"key":"k","value":{}}`,
	} {
		_, err := ParseMessage([]byte(raw))
		var protocol *ProtocolError
		if !errors.As(err, &protocol) {
			t.Errorf("%s: %v, want a ProtocolError", raw, err)
		}
	}
	m, err := ParseMessage([]byte(`{"headers":{"operation":"insert"},"key":"k","value":{"id":5}}`))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := m.Column("id"); err == nil {
		t.Errorf("a number for a column's value was read as %q", v.Text)
	}
}

// FuzzMembers holds the scanner, which trusts its input to be valid JSON, to what
// encoding/json reads from the same text.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{insertMessage, updateMessage, deleteMessage, upToDate, `{}`, ` { "a" : [ {} , "]" ] , "b\\" : "\\\"" } `, `{"a":1,"b":-1e5,"c":true}`, `{"\u0061":"\ud83d\ude00"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want map[string]json.RawMessage
		if !json.Valid(text) || json.Unmarshal(text, &want) != nil || want == nil {
			members(text, func(member) bool { return true }) // must not panic
			return
		}
		got := map[string]json.RawMessage{}
		members(text, func(m member) bool {
			var name string
			if err := json.Unmarshal(m.name, &name); err != nil {
				t.Fatalf("name %s: %v", m.name, err)
			}
			if !json.Valid(m.value) {
				t.Fatalf("value %s is not JSON", m.value)
			}
			got[name] = json.RawMessage(m.value)
			return true
		})
		if len(got) != len(want) {
			t.Fatalf("%d members, want %d", len(got), len(want))
		}
		for name, value := range want {
			if !reflect.DeepEqual(decode(t, got[name]), decode(t, value)) {
				t.Errorf("member %q = %s, want %s", name, got[name], value)
			}
		}
	})
}

func decode(t *testing.T, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	if !reflect.DeepEqual(decode(t, got), decode(t, []byte(want))) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
