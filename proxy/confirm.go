package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

const (
	// mostConfirmed is how many messages are confirmed in one call, and
	// mostConfirmedBytes how much of a part is in memory for it.
	mostConfirmed      = 256
	mostConfirmedBytes = 1 << 20
)

// writeConfirmed is write for a strict shape: SpiceDB is asked, at full consistency, about
// each id that makes a message visible, now that the message is there.
func (l *logPart) writeConfirmed(ctx context.Context, send func(message []byte) error) error {
	for {
		batch, end, err := l.readBatch()
		if err != nil {
			return err
		}
		permitted, err := l.confirm(ctx, batch)
		if err != nil {
			return err
		}
		filter := l.filter.Narrowed(permitted)
		for _, raw := range batch {
			m, err := electric.ParseMessage(raw)
			if err != nil {
				return err
			}
			if _, err := l.message(nil, &m, filter, send); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// readBatch reads some messages, and says whether they are the last.
func (l *logPart) readBatch() (batch [][]byte, end bool, err error) {
	for size := 0; len(batch) < mostConfirmed && size < mostConfirmedBytes; {
		m, err := nextMessage(l.part)
		if errors.Is(err, io.EOF) {
			return batch, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		batch = append(batch, bytes.Clone(m.Raw))
		size += len(m.Raw)
	}
	return batch, false, nil
}

// confirm returns what is permitted of the ids in a batch.
func (l *logPart) confirm(ctx context.Context, batch [][]byte) (authz.Grants, error) {
	ids := make([][]string, len(l.rule.Filters))
	seen := make([]map[string]bool, len(ids))
	any := false
	for _, raw := range batch {
		m, err := electric.ParseMessage(raw)
		if err != nil {
			return authz.Grants{}, err
		}
		if m.Operation == electric.Control {
			continue
		}
		any = any || l.guard.permitted.IsEverything()
		for i, name := range l.rule.Filters {
			for _, column := range []func(string) (electric.Value, error){m.Column, m.OldColumn} {
				v, err := column(name)
				if err != nil {
					return authz.Grants{}, err
				}
				id := string(v.Text)
				if !v.Present || v.Null || !l.guard.permitted.Set(i).Has(id) || seen[i][id] {
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
		return l.guard.permitted, nil // no message of the batch is visible
	}
	return l.guard.access.sub.Confirm(ctx, l.guard.permitted, ids)
}
