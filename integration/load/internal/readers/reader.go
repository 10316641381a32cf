package readers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/lean"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// reader makes the same request again and again, on one connection.
type reader struct {
	conn    *lean.Conn
	answer  lean.Answer
	request []byte
	changes int           // that each answer must hold
	visitor world.Visitor // who asks; without decides, no particular person
	decides bool
}

// newReader connects for a person, and sends nothing yet.
func newReader(ctx context.Context, base *url.URL, person int, decides bool) (*reader, error) {
	conn, err := lean.Dial(ctx, base)
	if err != nil {
		return nil, err
	}
	return &reader{conn: conn, visitor: world.NewVisitor(person), decides: decides}, nil
}

// wrongError is an answer that must not be.
type wrongError struct{ text string }

func (e *wrongError) Error() string { return e.text }

// read makes the request, and looks at its answer.
func (r *reader) read() error {
	if err := r.conn.Do(r.request, &r.answer); err != nil {
		return err
	}
	if s := r.answer.Status; s != http.StatusOK {
		return &wrongError{fmt.Sprintf("status %d: %.200s", s, r.answer.Body)}
	}
	if n := world.Changes(r.answer.Body); n != r.changes {
		return &wrongError{fmt.Sprintf("%d rows instead of %d", n, r.changes)}
	}
	if r.decides {
		if n := r.visitor.Foreign(r.answer.Body); n > 0 {
			return &wrongError{fmt.Sprintf("%d rows of others", n)}
		}
	}
	return nil
}

// goOn has the reader ask for what is after the answer that it had last.
func (r *reader) goOn(base *url.URL, headers []string) {
	query := "offset=" + r.answer.Offset + "&handle=" + url.QueryEscape(r.answer.Handle)
	r.request, r.changes = lean.Request(http.MethodGet, base, query, "", headers...), 0
}

// await reads until the answer is what it must be: a change is not at every
// Electric at once.
func (r *reader) await(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var err error
	for began := time.Now(); time.Since(began) < lookLong; {
		var wrong *wrongError
		if err = r.read(); !errors.As(err, &wrong) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}
