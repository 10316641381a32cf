package electric

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// KeptSubset is a snapshot that was read whole, so that several readers can read it. It is
// safe for concurrent use.
type KeptSubset struct {
	head     SubsetResponse // without rows
	rows     []Message
	metadata *Metadata
}

// KeepSubset is ReadSubset for a snapshot whose rows have at most so many bytes. It returns
// nil if they have more.
func (c *Client) KeepSubset(ctx context.Context, feed *LogSpec, s Subset, most int) (*KeptSubset, error) {
	r, err := c.ReadSubset(ctx, feed, s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	k := &KeptSubset{head: *r}
	k.head.Rows = nil
	for {
		m, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			k.metadata = r.Metadata()
			return k, nil
		case err != nil:
			return nil, err
		}
		if most -= len(m.Raw); most < 0 {
			return nil, nil //nolint:nilnil // it is too long
		}
		row, err := ParseMessage(bytes.Clone(m.Raw))
		if err != nil {
			return nil, err
		}
		k.rows = append(k.rows, row)
	}
}

// Open returns the snapshot, to be read from its beginning. The messages are shared, and must
// not be changed.
func (k *KeptSubset) Open() *SubsetResponse {
	r := k.head
	r.Rows = &keptRows{of: k}
	return &r
}

// keptRows implements Rows.
type keptRows struct {
	of   *KeptSubset
	next int
}

func (r *keptRows) Metadata() *Metadata { return r.of.metadata }

func (r *keptRows) Next() (*Message, error) {
	if r.next == len(r.of.rows) {
		return nil, io.EOF
	}
	r.next++
	return &r.of.rows[r.next-1], nil
}

func (r *keptRows) Close() error { return nil }
