package electric

import (
	"context"
	"encoding/json"
	"net/http"
)

// MaxBody is the largest POST body that Electric reads, in bytes (recording 07
// shows one of 8.1 MB refused).
const MaxBody = 8_000_000

// Subset asks for the rows of a feed as they are now.
type Subset struct {
	Where   string            `json:"where"`
	Params  map[string]string `json:"params,omitempty"` // by number, from "1", without gaps
	OrderBy string            `json:"order_by,omitempty"`
	Limit   *int64            `json:"limit,omitempty"`
	Offset  *int64            `json:"offset,omitempty"`
}

// SubsetResponse is a snapshot: its metadata, and its rows still unread.
type SubsetResponse struct {
	Handle string
	Offset Offset // a position of the feed's log that is not after the snapshot
	Schema *Schema

	*SnapshotReader
}

// ReadSubset takes a snapshot of the rows of feed that s asks for. It is sent by
// POST, whose body may be long, and without a handle: a subset is a view of the
// table, and a handle that Electric no longer has would only make it fail. The
// caller must Close the response.
//
// Errors are ErrRefused, ErrTooLarge, an *UnavailableError, a *ProtocolError, or
// the context's.
func (c *Client) ReadSubset(ctx context.Context, feed *Feed, s Subset) (*SubsetResponse, error) {
	body, err := json.Marshal(s)
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
	out.SnapshotReader = newSnapshotReader(&guardedBody{resp.Body, guard})
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
