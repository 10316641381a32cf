package electric

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestASubsetsBodyIsJSON(t *testing.T) {
	one, two := int64(1), int64(2)
	for want, s := range map[string]Subset{
		`{"where":"true"}`: {Where: "true"},
		`{"where":"\"id\" = ANY($1)","params":{"1":"{a,\"b \\\\ c\"}","2":"é\u0001\n"}}`: {
			Where: `"id" = ANY($1)`, Params: map[string]string{"2": "é\x01\n", "1": `{a,"b \\ c"}`},
		},
		`{"where":"a < b & c","order_by":"\"id\" DESC","limit":1,"offset":2}`: {Where: "a < b & c", OrderBy: `"id" DESC`, Limit: &one, Offset: &two},
	} {
		body, err := s.Body()
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s, want %s", body, want)
		}
	}
	for _, s := range []Subset{{Where: "\xff"}, {OrderBy: "\xff"}, {Params: map[string]string{"1": "\xff"}}} {
		if body, err := s.Body(); err == nil {
			t.Errorf("%q", body)
		}
	}
}

func TestWhatIsPlainInJSON(t *testing.T) {
	for c := range 256 {
		for i := range 17 {
			text := []byte("abcdefgh{ijklmno}")
			text[i] = byte(c)
			want := c >= ' ' && c < 0x80 && c != '"' && c != '\\'
			if got := isPlainInJSON(string(text)); got != want && c != 0x7f { // which need not be
				t.Errorf("%q: %v", text, got)
			}
		}
	}
}

// FuzzBody holds the body to encoding/json.
func FuzzBody(f *testing.F) {
	f.Add("true", "{a,b}", "")
	f.Add(`"a" = $1 -- <&>`, "\x00\u2028", `"id" DESC`)
	f.Fuzz(func(t *testing.T, where, param, order string) {
		s := Subset{Where: where, Params: map[string]string{"1": param}, OrderBy: order}
		body, err := s.Body()
		if err != nil {
			return
		}
		var got struct {
			Where   string
			Params  map[string]string
			OrderBy string `json:"order_by"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if got.Where != where || got.Params["1"] != param || got.OrderBy != order {
			t.Errorf("%s", body)
		}
	})
}
