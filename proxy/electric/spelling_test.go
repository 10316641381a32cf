package electric

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// jsonOf is a text as a JSON string.
func jsonOf(t testing.TB, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryKeyHasTheSpellingOfASubset(t *testing.T) {
	for _, tt := range []struct {
		name, schema, table string
		log, want           string
	}{
		{"an ordinary table", "public", "runs", `"public"."runs"/"1"`, `"public"."runs"/"1"`},
		{"a partition", "public", "runs", `"public"."runs_28"/"1"/"2026-02-28 10:00:00+00"`, `"public"."runs"/"1"/"2026-02-28 10:00:00+00"`},
		{"a partition in another schema", "public", "runs", `"old"."runs_27"/"1"`, `"public"."runs"/"1"`},
		{"a partition whose name goes on", "public", "runs", `"public"."runs"//x"/"1"`, `"public"."runs"/"1"`},
		{"a name with . and /", "s", "Odd.Name/2", `"s"."Odd..Name//2"/"1"`, `"s"."Odd.Name/2"/"1"`},
		{"a schema with . and /", "a.b/c", "t", `"a..b//c"."t"/"1"`, `"a.b/c"."t"/"1"`},
		{"a name that ends in /", "s", "t/", `"s"."t//"/"1"`, `"s"."t/"/"1"`},
		{"a name with quotes", "s", `say "hi"`, `"s"."say "hi""/"1"`, `"s"."say ""hi"""/"1"`},
		{"a subset's own spelling of . and /", "s", "Odd.Name/2", `"s"."Odd.Name/2"/"a//b"`, `"s"."Odd.Name/2"/"a//b"`},
		{"values with / and quotes", "public", "runs", `"public"."runs_1"/"a//b"/"say "hi""/"//"`, `"public"."runs"/"a//b"/"say "hi""/"//"`},
		{"NULLs", "public", "runs", `"public"."runs_1"/_/"2"/_`, `"public"."runs"/_/"2"/_`},
		{"an empty value", "public", "runs", `"public"."runs_1"/""`, `"public"."runs"/""`},
		{"more than ASCII", "public", "größe", `"public"."größe.."/"ü\"`, `"public"."größe"/"ü\"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := &LogSpec{Schema: tt.schema, Table: tt.table}
			raw := `{"key":` + jsonOf(t, tt.log) + `,"value":{"id":"1"},"headers":{"relation":["x","y"],"operation":"delete","key_change_to":` + jsonOf(t, tt.log) + `,"lsn":"7"}}`
			r := newMessageReader(io.NopCloser(strings.NewReader("["+raw+"]")), spec.keySpelling())
			m, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			want := jsonOf(t, tt.want)
			sameJSON(t, m.Key(), want)
			if string(m.KeyChange) != tt.want {
				t.Errorf("key change %s, want %s", m.KeyChange, tt.want)
			}
			sameJSON(t, m.Raw, `{"key":`+want+`,"value":{"id":"1"},"headers":{"relation":[`+jsonOf(t, tt.schema)+`,`+jsonOf(t, tt.table)+`],"operation":"delete","key_change_to":`+want+`,"lsn":"7"}}`)
			if values, ok := KeyColumns(tt.want, tt.schema, tt.table); !ok || RowKey(tt.schema, tt.table, values) != tt.want {
				t.Errorf("%s does not read as %d values", tt.want, len(values))
			}

			snapshot := `{"metadata":{"xmin":"1","xmax":"1","xip_list":[]},"data":[` +
				strings.Repeat(`{"key":`+jsonOf(t, tt.log)+`,"value":{"id":"1"},"headers":{"operation":"insert"}},`, 2)
			rows := newSnapshotReader(io.NopCloser(strings.NewReader(strings.TrimSuffix(snapshot, ",")+"]}")), spec.keySpelling())
			for range 2 {
				m, err := rows.Next()
				if err != nil {
					t.Fatal(err)
				}
				sameJSON(t, m.Key(), want)
			}
		})
	}
}

func TestTheRelationAloneIsCorrectedToo(t *testing.T) {
	spec := &LogSpec{Schema: "public", Table: "t"}
	odd := strings.Replace(insertMessage, `["public","t"]`, `["public","t_1"]`, 1)
	r := newMessageReader(io.NopCloser(strings.NewReader("["+odd+","+odd+","+insertMessage+"]")), spec.keySpelling())
	for range 3 {
		m, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, m.Raw, insertMessage)
	}
}

func TestAKeyOfAnotherFormStaysAsItIs(t *testing.T) {
	spec := &LogSpec{Schema: "public", Table: "t"}
	for _, key := range []string{`""`, `"k"`, `"\"public\".\"t\""`, `"public.t/1"`, `"\"public\".\"t_1\""`, `"/\"1\""`} {
		r := newMessageReader(io.NopCloser(strings.NewReader(`[{"key":`+key+`,"value":{},"headers":{"operation":"insert"}}]`)), spec.keySpelling())
		if m, err := r.Next(); err != nil || string(m.Key()) != key {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// Rows that are spelled right are not copied: all that a reader does is compare.
func TestAKeyThatIsSpelledRightCostsNoMemory(t *testing.T) {
	s := newSpelling("public", "t")
	scan := messageScanner{spelling: s}
	var m Message
	raw := []byte(insertMessage)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := scan.scan(raw, &m); err != nil || scan.odd {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
