package subset

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// ParseBody reads the body of a POST. The caller bounds its length.
//
// It is false, without an error, if the body asks for no subset: it is empty, or
// an object without any of the keys that belong to a subset. Such a request is an
// ordinary read of the log (recording 06). A known key asks for a subset even if
// its value is null.
//
// Errors are of type *Error.
func ParseBody(body []byte, table *Table) (*Request, bool, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, false, nil
	}
	f, asked, err := readBody(body)
	if err != nil || !asked {
		return nil, false, err
	}
	r, err := f.request(table)
	return r, err == nil, err
}

// newDecoder returns a strict decoder: no name twice, no invalid UTF-8, no nesting
// without end.
func newDecoder(text []byte) *jsontext.Decoder { return jsontext.NewDecoder(bytes.NewBuffer(text)) }

func readBody(body []byte) (*fields, bool, error) {
	d := newDecoder(body)
	if d.PeekKind() != '{' {
		return nil, false, bodyError(d, refuse("body", "is not a JSON object"))
	}
	f, asked := &fields{}, false
	err := eachMember(d, func(name string) error {
		known, err := f.readMember(d, name)
		asked = asked || known
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, false, notJSON()
	}
	return f, asked, nil
}

// readMember reads the value of one member, and reports whether the member
// belongs to a subset. What does not belong to it is passed over: it is not even
// kept.
func (f *fields) readMember(d *jsontext.Decoder, name string) (known bool, err error) {
	switch name {
	case "where":
		f.where, err = readText(d, name)
	case "order_by":
		f.orderBy, err = readText(d, name)
	case "limit":
		f.limit, err = readRow(d, name, leastLimit)
	case "offset":
		f.offset, err = readRow(d, name, leastOffset)
	case "params":
		f.params, err = readParams(d)
	case "where_expr", "order_by_expr":
		// The same once more as a tree; what counts is the text.
		err = skip(d)
	case "subset":
		// Electric reads a subset in here, too: two readings of one body.
		return true, refuse("subset", "is not a key of a request: its keys go to the top")
	default:
		return false, skip(d)
	}
	return true, err
}

// eachMember reads an object whose start was seen, but not read.
func eachMember(d *jsontext.Decoder, read func(name string) error) error {
	if _, err := d.ReadToken(); err != nil {
		return notJSON()
	}
	for {
		name, err := d.ReadToken()
		if err != nil {
			return notJSON()
		}
		if name.Kind() == '}' {
			return nil
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
}

func readText(d *jsontext.Decoder, field string) (string, error) {
	switch d.PeekKind() {
	case 'n':
		return "", skip(d)
	case '"':
		token, err := d.ReadToken()
		if err != nil {
			return "", notJSON()
		}
		return text(token.String()), nil
	}
	return "", bodyError(d, refuse(field, "is not a string"))
}

func readRow(d *jsontext.Decoder, field string, least int64) (*int64, error) {
	switch d.PeekKind() {
	case 'n':
		return nil, skip(d)
	case '0', '"':
		s, err := readScalar(d)
		if err != nil {
			return nil, err
		}
		if s == "" {
			return nil, nil // as Electric has it
		}
		return row(field, s, least)
	}
	return nil, bodyError(d, refuse(field, "is not an integer"))
}

func readParams(d *jsontext.Decoder) (map[int]string, error) {
	switch d.PeekKind() {
	case 'n':
		return nil, skip(d)
	case '{':
	default:
		return nil, bodyError(d, refuse("params", "is not an object"))
	}
	params := make(map[int]string)
	return params, eachMember(d, func(name string) error {
		n, err := paramNumber(name)
		if err != nil {
			return err
		}
		switch d.PeekKind() {
		case '"', '0', 't', 'f':
		default:
			return bodyError(d, refuse(paramField(n), "is not a string, a number or a boolean"))
		}
		if params[n], err = readScalar(d); err != nil {
			return err
		}
		return checkParam(n, params[n])
	})
}

// readScalar returns a string's content, or the text of a number or a boolean as
// it was sent.
func readScalar(d *jsontext.Decoder) (string, error) {
	raw, err := d.ReadValue()
	if err != nil {
		return "", notJSON()
	}
	if raw.Kind() != '"' {
		return string(raw), nil
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", notJSON()
	}
	return string(s), nil
}

func skip(d *jsontext.Decoder) error {
	if err := d.SkipValue(); err != nil {
		return notJSON()
	}
	return nil
}

// bodyError returns err for a value of the wrong kind, unless what stands there is
// no JSON at all.
func bodyError(d *jsontext.Decoder, err error) error {
	if d.SkipValue() != nil {
		return notJSON()
	}
	return err
}

// notJSON stands for every error of the decoder: text that is no JSON, names that
// come twice, invalid UTF-8, nesting without end. Its own errors quote the body.
func notJSON() error {
	return refuse("body", "is not valid JSON, or names a member twice")
}
