package electric

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// KeptSubset is a snapshot that was read whole, so that several readers can read it. It is
// safe for concurrent use.
type KeptSubset struct {
	head SubsetResponse
	body []byte
	keys *spelling
}

// KeepSubset is ReadSubset for a snapshot of at most so many bytes. It returns nil if the
// snapshot is longer.
func (c *Client) KeepSubset(ctx context.Context, feed *LogSpec, s Subset, most int) (*KeptSubset, error) {
	head, body, err := c.askSubset(ctx, feed, s)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, int64(most)+1))
	if err != nil {
		return nil, &UnavailableError{Err: err}
	}
	if len(text) > most {
		return nil, nil //nolint:nilnil // it is too long
	}
	return &KeptSubset{head: *head, body: text, keys: feed.keySpelling()}, nil
}

// Open returns the snapshot, to be read from its beginning.
func (k *KeptSubset) Open() *SubsetResponse {
	r := k.head
	r.SnapshotReader = newSnapshotReader(http.NoBody, k.keys)
	r.text.buf = bytes.Clone(k.body) // a reader moves what it has not read yet
	return &r
}
