package electric

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// spelling is how the keys of a table are spelled. Electric has two spellings of the table
// in a key. A snapshot quotes the table of the shape as SQL does:
//
//	"s"."Odd.Name/2"/"1"     "public"."runs"/"1"
//
// The log doubles every . and / of the name, does not double its quotes, and names the
// partition that holds the row (recordings 14 and 15):
//
//	"s"."Odd..Name//2"/"1"   "public"."runs_28"/"1"
//
// A client finds its rows by key, so a delete must have the key of the insert. Readers
// therefore rewrite the log's spelling to the snapshot's. The values in a key have one
// spelling.
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

// quote returns a name as a JSON string. Names in Postgres are valid UTF-8.
func quote(name string) []byte {
	b, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(name, "\ufffd"))
	return b
}

// has reports whether a key, as JSON, has this spelling. It may return false for one that
// has, with other escapes. It is called for every row.
func (s *spelling) has(key []byte) bool {
	rest, ok := bytes.CutPrefix(key, s.quoted)
	return ok && (bytes.HasPrefix(rest, endOfTable) || bytes.HasPrefix(rest, endBeforeNull))
}

// isOdd reports whether headers have another spelling: in the relation, as JSON, or in the
// other key of a primary-key change, as text. Either may be nil.
func (s *spelling) isOdd(relation, keyChange []byte) bool {
	if relation != nil && !bytes.Equal(relation, s.relation) {
		return true
	}
	_, ok := s.values(keyChange)
	return keyChange != nil && !ok
}

// The end of the table in a key, as JSON, before a value and before a NULL. In the log's
// spelling, a / of the name is followed by another /.
var (
	endOfTable    = []byte(`/\"`)
	endBeforeNull = []byte(`/_`)
)

// appendMessage appends a message with its keys and its relation in this spelling.
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

// key returns a key, as JSON, in this spelling. Text that is not of the form of a key is
// returned unchanged, and KeyColumns returns false for it.
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
			return key, nil
		}
		values = text[end:]
	}
	quoted, err := jsontext.AppendQuote(nil, values)
	if err != nil {
		return nil, protocolErrorf("a key is not valid UTF-8")
	}
	return append(bytes.Clone(s.quoted), quoted[1:]...), nil
}

// values returns the part of a key, as text, after the table. It returns false for a key
// in another spelling.
func (s *spelling) values(key []byte) ([]byte, bool) {
	if len(key) < len(s.prefix) || string(key[:len(s.prefix)]) != s.prefix {
		return nil, false
	}
	values := key[len(s.prefix):]
	return values, len(values) > 1 && values[0] == '/' && (values[1] == '"' || values[1] == '_')
}
