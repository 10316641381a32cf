package electric

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxBody is the largest POST body that Electric reads, in bytes (recording 07
// shows one of 8.1 MB refused).
const MaxBody = 8_000_000

// Subset is a query for the present rows of a shape.
type Subset struct {
	Where   string
	Params  map[string]string // by number, from "1", without gaps
	OrderBy string
	Limit   *int64
	Offset  *int64
}

// Body returns the body of the request. It is built by hand, since params may be long:
// this takes half the time of encoding/json. It returns an error for text that is not
// valid UTF-8.
func (s *Subset) Body() ([]byte, error) {
	size := len(s.Where) + len(s.OrderBy) + 128
	for _, v := range s.Params {
		size += len(v) + 16
	}
	b, err := appendText(append(make([]byte, 0, size), `{"where":`...), s.Where)
	if len(s.Params) > 0 {
		b = append(b, `,"params":{`...)
		for i, number := range slices.Sorted(maps.Keys(s.Params)) {
			if i > 0 {
				b = append(b, ',')
			}
			var wrong [2]error
			b, wrong[0] = appendText(b, number)
			b, wrong[1] = appendText(append(b, ':'), s.Params[number])
			err = errors.Join(err, wrong[0], wrong[1])
		}
		b = append(b, '}')
	}
	if s.OrderBy != "" {
		var wrong error
		b, wrong = appendText(append(b, `,"order_by":`...), s.OrderBy)
		err = errors.Join(err, wrong)
	}
	if s.Limit != nil {
		b = strconv.AppendInt(append(b, `,"limit":`...), *s.Limit, 10)
	}
	if s.Offset != nil {
		b = strconv.AppendInt(append(b, `,"offset":`...), *s.Offset, 10)
	}
	return append(b, '}'), err
}

// appendText appends a JSON string.
func appendText(dst []byte, text string) ([]byte, error) {
	if !isPlainInJSON(text) {
		return jsontext.AppendQuote(dst, text)
	}
	return append(append(append(dst, '"'), text...), '"'), nil
}

// isPlainInJSON reports whether a text needs no escapes in a JSON string. False may be
// wrong. It tests eight bytes at a time: a list of ids may be megabytes long.
func isPlainInJSON(text string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(text) >= 8 {
		w := uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
		quote, backslash := w^(ones*'"'), w^(ones*'\\')
		// The high bit of a byte is set in w if it is not ASCII, in the second term if it
		// is less than a blank, and in the last two if it is a quote or a backslash.
		if (w|(w-ones*' ')&^w|(quote-ones)&^quote|(backslash-ones)&^backslash)&high != 0 {
			return false
		}
		text = text[8:]
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// SubsetResponse is a snapshot: its headers, and its rows.
type SubsetResponse struct {
	Handle string
	Offset Offset // a position of the log; the snapshot is at least as new
	Schema *Schema

	Rows
}

// Rows are the rows of a snapshot, to be read one by one. *SnapshotReader has them as they
// come from Electric.
type Rows interface {
	Next() (*Message, error)
	Metadata() *Metadata
	Close() error
}

// ReadSubset takes a snapshot of the rows of feed that s selects. It sends a POST, since
// the body may be long, and no handle: the snapshot is of the table, and a handle that
// Electric no longer has would make it fail. The caller must Close the response.
//
// Errors are ErrRefused, a *MisconfiguredError, ErrTooLarge, an *UnavailableError, a
// *ProtocolError, or the context's.
func (c *Client) ReadSubset(ctx context.Context, feed *LogSpec, s Subset) (*SubsetResponse, error) {
	body, err := s.Body()
	if err != nil {
		return nil, err
	}
	if len(body) > MaxBody {
		return nil, ErrTooLarge
	}
	q := feed.query()
	q.Set("offset", Now.String())
	ctx, guard := guardHeaders(ctx, true)
	resp, err := c.do(ctx, http.MethodPost, q, body)
	if err != nil {
		guard.stop()
		return nil, err
	}
	guard.answered()
	out, err := subsetResponse(resp)
	if err != nil {
		drain(resp.Body)
		guard.stop()
		return nil, err
	}
	out.Rows = newSnapshotReader(&guardedBody{resp.Body, guard}, feed.keySpelling())
	return out, nil
}

func subsetResponse(resp *http.Response) (*SubsetResponse, error) {
	if resp.Header.Get("Electric-Snapshot") != "true" {
		return nil, protocolErrorf("a subset was asked for and not answered")
	}
	out := &SubsetResponse{Handle: resp.Header.Get("Electric-Handle")}
	if out.Handle == "" {
		return nil, protocolErrorf("no electric-handle")
	}
	var err error
	if out.Offset, err = positionHeader(resp.Header); err != nil {
		return nil, err
	}
	out.Schema, err = ParseSchema(resp.Header.Get("Electric-Schema"))
	return out, err
}
