package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// logPart is a part of the log on its way to one client, through the client's filter.
type logPart struct {
	part     *feed.Part
	rule     *rowfilter.Rule
	filter   *rowfilter.Filter
	guard    *guard
	late     lateRows
	upToDate []byte // the message, once it was read
}

func newLogPart(s *snapshots, p *feed.Part, f *rowfilter.Filter, g *guard) *logPart {
	return &logPart{part: p, rule: s.log.shape.table.rule(), filter: f, guard: g, late: lateRows{snapshots: s}}
}

// write sends what of each message is visible, and then the present state of the rows that
// late messages take away. What is sent holds until send returns.
func (l *logPart) write(ctx context.Context, send func(message []byte) error) error {
	if err := l.writeMessages(ctx, send); err != nil {
		return err
	}
	return l.late.write(ctx, l.filter, l.guard, send)
}

// writeMessages sends what of each message is visible.
func (l *logPart) writeMessages(ctx context.Context, send func(message []byte) error) error {
	if l.guard.access.strict {
		return l.writeConfirmed(ctx, send)
	}
	var buf []byte
	for {
		m, err := nextMessage(l.part)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		renewed, err := l.guard.check(ctx)
		if err != nil {
			return err
		}
		if renewed {
			l.filter = l.filter.Narrowed(l.guard.permitted)
		}
		if buf, err = l.message(buf[:0], m, l.filter, send); err != nil {
			return err
		}
	}
}

// message sends what of one message is visible.
func (l *logPart) message(buf []byte, m *electric.Message, f *rowfilter.Filter, send func([]byte) error) ([]byte, error) {
	if m.Operation == electric.Control {
		if m.Control == electric.ControlUpToDate {
			l.upToDate = bytes.Clone(m.Raw) // it comes last
		}
		return buf, nil
	}
	buf, fate, err := f.Append(buf, m)
	switch {
	case err != nil || fate == rowfilter.Nothing:
		return buf, err
	case fate == rowfilter.AskAgain:
		l.late.note(m)
		return buf, nil
	}
	return buf, send(buf)
}

// end returns the up-to-date message of a part that reaches the log's end, or nil.
func (l *logPart) end() []byte {
	if l.upToDate == nil && l.part.UpToDate {
		return feed.UpToDateMessage(l.part.LastSeen)
	}
	return l.upToDate
}

// nextMessage returns the next message of a part. That a log must be read anew is a
// status, and never a message: sent on as one, it would have every reader drop its rows.
func nextMessage(p *feed.Part) (*electric.Message, error) {
	m, err := p.Next()
	if err == nil && m.Operation == electric.Control && m.Control == electric.ControlMustRefetch {
		return nil, &electric.ProtocolError{Reason: "must-refetch in a log"}
	}
	return m, err
}
