package electric

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// spelling is how the keys of one table are spelled: as Electric's subsets spell them.
//
// Electric has two ways to spell the table in a key. A snapshot quotes the table of the
// shape as SQL does:
//
//	"s"."Odd.Name/2"/"1"     "public"."runs"/"1"
//
// The log doubles every . and / of the name, leaves its quotes as they are, and names
// the partition that holds the row:
//
//	"s"."Odd..Name//2"/"1"   "public"."runs_28"/"1"
//
// A client finds its rows by key. So readers rewrite the log's spelling, and nothing
// above this package ever sees it. The values in a key are spelled alike in both.
type spelling struct {
	prefix   string // of a key, up to the values: "public"."runs"
	quoted   []byte // the prefix as a JSON string, without its closing quote
	relation []byte // the header: ["public","runs"]
}

// keyPrefix is how a key of a table begins.
func keyPrefix(schema, table string) string {
	return QuoteIdentifier(schema) + "." + QuoteIdentifier(table)
}

func newSpelling(schema, table string) *spelling {
	prefix := keyPrefix(schema, table)
	quoted := quote(prefix)
	relation := append(append(append([]byte{'['}, quote(schema)...), ','), quote(table)...)
	return &spelling{prefix: prefix, quoted: quoted[:len(quoted)-1], relation: append(relation, ']')}
}

// quote returns a name as a JSON string. Postgres has no names that are not UTF-8; of
// one, what is not becomes U+FFFD.
func quote(name string) []byte {
	b, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(name, "\ufffd"))
	return b
}

// has reports whether a key, as JSON, is surely spelled so. It is asked of every row.
func (s *spelling) has(key []byte) bool {
	rest, ok := bytes.CutPrefix(key, s.quoted)
	return ok && (bytes.HasPrefix(rest, endOfTable) || bytes.HasPrefix(rest, endBeforeNull))
}

// isOdd reports whether headers name the table in another way: by a relation, as JSON, or
// by the key of a key change, as text. Either may be nil.
func (s *spelling) isOdd(relation, keyChange []byte) bool {
	if relation != nil && !bytes.Equal(relation, s.relation) {
		return true
	}
	_, ok := s.values(keyChange)
	return keyChange != nil && !ok
}

// What ends the table's name in a key, as JSON, before a value and before a NULL. A /
// of the name in the log's spelling is followed by another one.
var (
	endOfTable    = []byte(`/\"`)
	endBeforeNull = []byte(`/_`)
)

// appendMessage appends a message with its keys and its relation spelled so.
func (s *spelling) appendMessage(dst, raw []byte) (_ []byte, err error) {
	dst = append(dst, '{')
	first := true
	members(raw, func(f member) bool {
		switch {
		case stringIs(f.name, "key"):
			f.value, err = s.key(f.value)
		case stringIs(f.name, "headers"):
			f.value, err = s.headers(f.value)
		}
		dst, first = appendMember(dst, f, first), false
		return err == nil
	})
	return append(dst, '}'), err
}

func (s *spelling) headers(headers []byte) (_ []byte, err error) {
	out := append(make([]byte, 0, len(headers)), '{')
	first := true
	members(headers, func(f member) bool {
		switch {
		case isKeyChange(f.name):
			f.value, err = s.key(f.value)
		case stringIs(f.name, "relation"):
			f.value = s.relation
		}
		out, first = appendMember(out, f, first), false
		return err == nil
	})
	return append(out, '}'), err
}

// key returns a key, as JSON, spelled so. What does not have the form of a key stays as it
// is: KeyColumns does not read it either.
func (s *spelling) key(key []byte) ([]byte, error) {
	if s.has(key) {
		return key, nil
	}
	text, err := unquote(key)
	if err != nil {
		return nil, err
	}
	values, ok := s.values(text)
	if !ok {
		end := keyPartEnd(string(text))
		if end < 2 || text[0] != '"' || text[end-1] != '"' || end == len(text) {
			return key, nil // it names no table
		}
		values = text[end:]
	}
	quoted, err := jsontext.AppendQuote(nil, values)
	if err != nil {
		return nil, protocolErrorf("a key is not valid UTF-8")
	}
	return append(bytes.Clone(s.quoted), quoted[1:]...), nil
}

// values returns the part of a key, as text, that follows the table. It returns false for
// a key that is spelled in another way.
func (s *spelling) values(key []byte) ([]byte, bool) {
	if len(key) < len(s.prefix) || string(key[:len(s.prefix)]) != s.prefix {
		return nil, false
	}
	values := key[len(s.prefix):]
	return values, len(values) > 1 && values[0] == '/' && (values[1] == '"' || values[1] == '_')
}
