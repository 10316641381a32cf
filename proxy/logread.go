package proxy

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/feed"
)

// closing closes what was read, or will not be.
func closing(c io.Closer) { _ = c.Close() }

// logRead is a part of the log that was read for a client, and what the client may see,
// decided since.
type logRead struct {
	x      *exchange
	part   *feed.Part
	d      authz.Decision
	served bool // the client was served what is permitted
}

// deliver answers a client that was served what is permitted: with what it may see of the
// part. Without must it answers nothing, and returns false, if no message is visible.
func (r *logRead) deliver(ctx context.Context, must bool) (done bool, err error) {
	if answer, ok, err := r.shared(); err != nil || ok {
		if err != nil || !must && len(answer.Elements) == 0 {
			return false, err
		}
		return true, r.deliverShared(answer)
	}
	part, err := r.filtered(ctx)
	if err != nil {
		return false, err
	}
	r.x.client.passed(r.part, r.d)
	out := &lazyArray{x: r.x, part: part}
	if must {
		if err := out.begin(); err != nil {
			return false, err
		}
	}
	err = part.write(ctx, out.message)
	switch {
	case !out.begun():
		return false, err // nothing was written: an error can still be a status
	case err == nil:
		err = out.end()
	}
	if err != nil {
		return true, aborted(err)
	}
	return true, nil
}

// shared returns what every reader of the client's cohort is sent of the part, if that is
// what this client is sent: no message may be late, and none has to be confirmed.
func (r *logRead) shared() (*feed.Answer, bool, error) {
	const most = 1 << 20 // a larger part is written as it is read, and not kept
	switch {
	case !r.part.InMemory(), r.part.Size() > most && !r.part.Woken(), r.x.access.strict, r.x.client.mayBeLate(r.part):
		return nil, false, nil
	}
	return r.x.source.shared(r.part, r.d)
}

func (r *logRead) deliverShared(a *feed.Answer) error {
	x := r.x
	x.client.passed(r.part, r.d)
	x.head(r.part).write(x.w.Header())
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

// filtered returns the part with the client's filter of it.
func (r *logRead) filtered(ctx context.Context) (*logPart, error) {
	return r.x.source.filtered(ctx, r)
}

// deliverWithoutResync answers a client whose grants have changed with a part of the log
// that does not reach its end: filtered by what is permitted, and with the resync still to
// come.
func (r *logRead) deliverWithoutResync(ctx context.Context) error {
	part, err := r.filtered(ctx)
	if err != nil {
		return err
	}
	if err := r.x.client.onward(r.d); err != nil {
		return err
	}
	out := beginArray(r.x.w, r.x.head(r.part))
	if err := part.write(ctx, out.add); err != nil {
		return aborted(err)
	}
	return out.end()
}

// resync answers a client whose grants have changed: with the log up to the feed's position,
// the rows that go and come, and a handle that names the grants of today.
//
// A part that does not reach the end of the log comes alone, under the handle that the
// client has: the rows are as of now, and the log has to be read up to then first.
func (r *logRead) resync(ctx context.Context) error {
	if !r.part.UpToDate {
		return r.deliverWithoutResync(ctx)
	}
	s, err := r.x.source.resync(ctx, r)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.answer(ctx, r.part)
}
