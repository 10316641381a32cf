package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/shapegate/shapegate/proxy/electric"
)

// nextMessage returns the next message of a batch. That a log must be read anew
// is a status, and never a message: passed on as one, it would have every reader
// drop its rows.
func nextMessage(b *batch) (*electric.Message, error) {
	m, err := b.next()
	if err == nil && m.Operation == electric.Control && m.Control == electric.ControlMustRefetch {
		return nil, &electric.ProtocolError{Reason: "must-refetch in a log"}
	}
	return m, err
}

// unread puts a message back, as the next one of the batch.
func (b *batch) unread(m *electric.Message) { b.unreadRaw = bytes.Clone(m.Raw) }

func (b *batch) next() (*electric.Message, error) {
	if b.unreadRaw == nil {
		return b.Next()
	}
	m, err := electric.ParseMessage(b.unreadRaw)
	b.unreadRaw = nil
	return &m, err
}

// forEachVisible reads a batch to its end, and sends what the reader may see of
// each message. The element holds until send returns.
func (rd *reading) forEachVisible(ctx context.Context, b *batch, through *window, send func(m *electric.Message, element []byte) error) error {
	if rd.shape.isStrict() {
		return rd.forEachConfirmed(ctx, b, through, send)
	}
	keys := rd.shape.keys()
	var buf []byte
	for {
		m, err := nextMessage(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var visible bool
		if buf, visible, err = through.apply(buf[:0], m, keys); err != nil {
			return err
		}
		if visible {
			if err := send(m, buf); err != nil {
				return err
			}
		}
	}
}

const (
	// mostConfirmed bounds how many messages are confirmed in one call, and
	// mostConfirmedBytes how much of a batch is in memory for it.
	mostConfirmed      = 256
	mostConfirmedBytes = 1 << 20
)

// forEachConfirmed is forEachVisible for a strict shape: what the reader may see by
// what is known of its grants is asked about once more, now that it is there.
func (rd *reading) forEachConfirmed(ctx context.Context, b *batch, through *window, send func(m *electric.Message, element []byte) error) error {
	keys := rd.shape.keys()
	for {
		part, end, err := readPart(b)
		if err != nil {
			return err
		}
		confirmed, err := rd.confirm(ctx, part, through)
		if err != nil {
			return err
		}
		for _, raw := range part {
			m, err := electric.ParseMessage(raw)
			if err != nil {
				return err
			}
			element, visible, err := confirmed.apply(nil, &m, keys)
			if err != nil {
				return err
			}
			if !visible {
				continue
			}
			if err := send(&m, element); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// readPart reads some messages of a batch, and says whether they are the last.
func readPart(b *batch) (part [][]byte, end bool, err error) {
	for size := 0; len(part) < mostConfirmed && size < mostConfirmedBytes; {
		m, err := nextMessage(b)
		if errors.Is(err, io.EOF) {
			return part, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		part = append(part, bytes.Clone(m.Raw))
		size += len(m.Raw)
	}
	return part, false, nil
}

// confirm asks about the ids that make messages visible, and returns the window
// with no others.
func (rd *reading) confirm(ctx context.Context, part [][]byte, through *window) (window, error) {
	ids := make([][]string, len(through.kept.columns))
	seen := make([]map[string]bool, len(ids))
	any := through.kept.all
	for _, raw := range part {
		m, err := electric.ParseMessage(raw)
		if err != nil {
			return window{}, err
		}
		if m.Operation == electric.Control {
			continue
		}
		for i, c := range through.kept.columns {
			for _, column := range []func(string) (electric.Value, error){m.Column, m.OldColumn} {
				v, err := column(c.column)
				if err != nil {
					return window{}, err
				}
				id := string(v.Text)
				if !v.Present || v.Null || !c.grants.Has(id) || seen[i][id] {
					continue
				}
				if seen[i] == nil {
					seen[i] = make(map[string]bool)
				}
				seen[i][id], any = true, true
				ids[i] = append(ids[i], id)
			}
		}
	}
	if !any {
		return *through, nil // nothing of it is visible
	}
	d, err := rd.lease.Confirm(ctx, rd.decision, ids)
	if err != nil {
		return window{}, err
	}
	confirmed := *through
	confirmed.kept = rd.shape.visibility(d)
	return confirmed, nil
}
