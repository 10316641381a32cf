package electric

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestMalformedJSONIsRefused(t *testing.T) {
	for _, text := range []string{
		``, ` `, `,`, `]`, `}`, `:`, `[1,]`, `[,1]`, `[1 2]`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`,
		`[}`, `{]`, `nul`, `nulls`, `True`, `01`, `-`, `1.`, `.5`, `1e`, `1e+`, `+1`, `0x1`, `NaN`, `'a'`, `[1]]`, `{"a":{}}}`,
		strings.Repeat("[", deepest+1) + strings.Repeat("]", deepest+1),
	} {
		// What comes after a literal has to be there.
		if end, err := checkValue([]byte(text+" "), 0, 0); err == nil && end == len(text) {
			t.Errorf("%s counts as JSON", text)
		}
	}
}

func TestAPartOfAValueIsShort(t *testing.T) {
	const value = `{"a":[1,-2.5e+3,true,null,"b\\\"]}"],"c":{}}`
	for cut := range len(value) {
		if _, err := checkValue([]byte(value[:cut]), 0, 0); !errors.Is(err, errShort) {
			t.Errorf("%s: %v", value[:cut], err)
		}
	}
	if end, err := checkValue([]byte(value), 0, 0); err != nil || end != len(value) {
		t.Errorf("ends at %d, %v", end, err)
	}
}

// FuzzCheck holds the scanner to encoding/json, but for what is within strings.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{insertMessage, upToDate, `[1,{"a":"b\\"},[],{}]`, `-0.5e-7 `, `"\"\\\""`, `{"a":1,"a":2}`, "[true ,\n\tnull]", `{"a":"` + "\x01" + `"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		end, err := checkValue(append(bytes.TrimLeft(text, " \n\t\r"), ' '), 0, 0)
		all := err == nil && end == len(bytes.Trim(text, " \n\t\r"))
		var v any
		if json.Valid(text) && json.Unmarshal(text, &v) == nil && depth(v) < deepest && !all {
			t.Errorf("%s: ends at %d, %v", text, end, err)
		}
		if all && !json.Valid(blank(text)) {
			t.Errorf("%s counts as JSON", text)
		}
	})
}

func depth(v any) (d int) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			d = max(d, depth(e))
		}
		return d + 1
	case map[string]any:
		for _, e := range v {
			d = max(d, depth(e))
		}
		return d + 1
	}
	return 0
}

// blank empties all strings of a text.
func blank(text []byte) (b []byte) {
	for i := 0; i < len(text); i++ {
		if b = append(b, text[i]); text[i] != '"' {
			continue
		}
		end, ok := stringEnd(text, i)
		if !ok {
			return b
		}
		b, i = append(b, '"'), end-1
	}
	return b
}
