package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// closing closes what was read, or will not be.
func closing(c io.Closer) { _ = c.Close() }

// deliver answers with what the client may see of a part of the log, whose grants are
// those that it was served. Without must it answers nothing, and returns false, if the
// part has no visible message.
func (x *exchange) deliver(ctx context.Context, p *feed.Part, d authz.Decision, must bool) (done bool, err error) {
	if answer, ok, err := x.shared(p, d); err != nil || ok {
		if err != nil || !must && len(answer.Elements) == 0 {
			return false, err
		}
		return true, x.deliverShared(p, d, answer)
	}
	filter, err := x.filter(ctx, d, x.mayBeLate(p))
	if err != nil {
		return false, err
	}
	x.passed(p, d)
	part := x.newLogPart(p, d, filter)
	out := &lazyArray{w: x.w, head: part.head}
	if must {
		if err := out.begin(); err != nil {
			return false, err
		}
	}
	err = part.write(ctx, out.message)
	if err == nil {
		err = part.askAgain(ctx, out.message)
	}
	switch {
	case !out.begun():
		return false, err // nothing was written: an error can still be a status
	case err == nil:
		out.control(part.end())
		err = out.end()
	}
	if err != nil {
		return true, aborted(err)
	}
	return true, nil
}

// shared returns what every reader of the client's cohort is sent of a part, if that is
// what this client is sent: no message may be late, and none has to be confirmed.
func (x *exchange) shared(p *feed.Part, d authz.Decision) (*feed.Answer, bool, error) {
	const most = 1 << 20 // a larger part is written as it is read, and not kept
	switch {
	case !p.InMemory(), p.Size() > most && !p.Woken(), x.access.strict, x.source.feed == nil, x.mayBeLate(p):
		return nil, false, nil
	}
	answer, err := x.source.join(x.source.feed, d).Answer(p)
	return answer, err == nil, err
}

func (x *exchange) deliverShared(p *feed.Part, d authz.Decision, a *feed.Answer) error {
	x.passed(p, d)
	x.headOf(p).write(x.w.Header())
	body := a.Body
	if x.req.gzip {
		if zipped := a.Zipped(); zipped != nil {
			body = zipped
			x.w.Header().Set("Content-Encoding", "gzip")
		}
	}
	x.w.Header().Set("Content-Type", jsonType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(http.StatusOK)
	if _, err := newPatientWriter(x.w).Write(body); err != nil {
		return aborted(err)
	}
	return nil
}

// headOf is the head of an answer with a part of the log. The client of a live request
// knows what the table looks like, and needs a cursor.
func (x *exchange) headOf(p *feed.Part) shapeHeaders {
	head := shapeHeaders{handle: x.handle(), offset: p.End.Offset, upToDate: p.UpToDate, hasData: true}
	if x.req.live {
		head.cursor = nextCursor(time.Now(), x.req.cursor)
	} else {
		head.schema = p.Schema
	}
	return head
}

// logPart is a part of the log on its way to one client.
type logPart struct {
	x      *exchange
	part   *feed.Part
	filter *rowfilter.Filter
	guard  *guard

	asked    map[string][]byte // late messages whose rows have to be asked for, by key
	upToDate []byte
}

// head is the head of an answer that is about to begin with the part's next message. What
// was read before may have been left out.
func (l *logPart) head() (shapeHeaders, error) {
	if l.guard.regained {
		return shapeHeaders{}, errUnsettled
	}
	if err := l.x.leaveOut(l.guard); err != nil {
		return shapeHeaders{}, err
	}
	return l.x.headOf(l.part), nil
}

// newLogPart returns the part with a guard: the caller has decided just now, after the
// part was read.
func (x *exchange) newLogPart(p *feed.Part, d authz.Decision, f *rowfilter.Filter) *logPart {
	return &logPart{x: x, part: p, filter: f, guard: &guard{access: x.access, named: d, permitted: d.Grants, since: time.Now()}}
}

// write sends what of each message is visible. What is sent holds until send returns.
func (l *logPart) write(ctx context.Context, send func(message []byte) error) error {
	if l.x.access.strict {
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
		if l.asked == nil {
			l.asked = make(map[string][]byte)
		}
		l.asked[string(m.Key())] = bytes.Clone(m.Raw)
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

// lazyArray is an answer that begins with its first message.
type lazyArray struct {
	w    http.ResponseWriter
	head func() (shapeHeaders, error)
	out  *arrayWriter
}

func (l *lazyArray) begun() bool { return l.out != nil }

func (l *lazyArray) begin() error {
	head, err := l.head()
	if err == nil {
		l.out = beginArray(l.w, head)
	}
	return err
}

func (l *lazyArray) message(m []byte) error {
	if l.out == nil {
		if err := l.begin(); err != nil {
			return err
		}
	}
	return l.out.add(m)
}

// control adds a control message, if there is one, to an answer that has begun.
func (l *lazyArray) control(m []byte) {
	if m != nil {
		_ = l.out.add(m)
	}
}

func (l *lazyArray) end() error { return l.out.end() }
