package proxy

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rowfilter"
	"github.com/shapegate/shapegate/proxy/subset"
)

// exchange is one request for a shape, and its answer.
type exchange struct {
	s        *shapeServer
	shape    *shape
	req      request
	narrowed *subset.Narrowing // nil: the whole shape
	access   *access
	source   *source
	client   client
	w        http.ResponseWriter
}

// client is what the client of a request holds, by the handle that it came with.
type client struct {
	cursor cursor.Cursor
	handle string // as it came; empty if the cursor is another one by now
}

func (x *exchange) release() {
	if x.source != nil {
		x.source.release()
	}
	x.access.release()
}

// scope is what the handles of this exchange are good for.
func (x *exchange) scope() cursor.Scope {
	s := cursor.Scope{Shape: x.shape.def.Name, Subject: x.access.subject.String()}
	for _, name := range x.shape.def.Params {
		s.Params = append(s.Params, x.req.params[name])
	}
	if x.narrowed != nil {
		s.Params = append(s.Params, x.narrowed.Key())
	}
	return s
}

// openCursor reads the handle that the client came with. The error is errStaleHandle.
func (x *exchange) openCursor() error {
	c, err := x.s.key.Open(x.req.handle, x.scope())
	if err != nil {
		return errStaleHandle
	}
	x.client = client{cursor: c, handle: x.req.handle}
	x.become(c.Acknowledge(x.req.offset))
	return nil
}

// become notes that the client's cursor is another one, if it is.
func (x *exchange) become(c cursor.Cursor, changed bool) {
	if changed {
		x.client.cursor, x.client.handle = c, ""
	}
}

// handle spells the cursor that an answer carries: the handle that the client came with,
// if nothing changed.
func (x *exchange) handle() string {
	if x.client.handle == "" {
		x.client.handle = x.s.key.Seal(&x.client.cursor, x.scope())
	}
	return x.client.handle
}

// place is where the client's log goes on.
func (x *exchange) place() feed.Place {
	return feed.Place{Handle: x.client.cursor.Upstream, Offset: x.client.cursor.Resume(x.req.offset)}
}

// tokenAge is how old the revisions in a handle may become. SpiceDB forgets revisions,
// after a day by default.
const tokenAge = time.Hour

// confirmed has the client's handle name newer revisions of the grants that it was served,
// if those that it names are old.
func (x *exchange) confirmed(d authz.Decision) {
	c := x.client.cursor
	if d.At.Time.Sub(c.At.Time) > tokenAge && d.Fingerprint == c.Served.Fingerprint && len(c.Pending) == 0 {
		x.become(c.Confirmed(d), true)
	}
}

// passed notes that an answer brings the client to the end of a part of the log.
func (x *exchange) passed(p *feed.Part, d authz.Decision) {
	x.confirmed(d)
	c := x.client.cursor
	if !p.UpToDate || len(c.Steps) == 0 {
		return
	}
	now := time.Now()
	if p.Away {
		now = time.Time{}
	}
	next := c.Pass(p.End.Offset, p.LastSeen, now)
	x.become(next, len(next.Steps) < len(c.Steps))
}

// recall returns the grants that a cursor names. The error is errStaleHandle if they
// cannot be had any more.
func (x *exchange) recall(ctx context.Context, d authz.Decision, g cursor.Grants) (authz.Grants, error) {
	if g.Fingerprint == d.Fingerprint {
		return d.Grants, nil
	}
	grants, err := x.access.sub.Recall(ctx, g.Fingerprint, g.Tokens)
	if errors.Is(err, authz.ErrForgotten) {
		return grants, errStaleHandle
	}
	return grants, err
}

func (x *exchange) recallAll(ctx context.Context, d authz.Decision, names []cursor.Grants) ([]authz.Grants, error) {
	all := make([]authz.Grants, len(names))
	for i, g := range names {
		var err error
		if all[i], err = x.recall(ctx, d, g); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// interrupted returns the ids that were taken away from the client for a while since its
// grants were decided.
func (x *exchange) interrupted() (authz.Grants, error) {
	lost, ok := x.access.sub.Interrupted(x.client.cursor.At)
	if !ok {
		return lost, errStaleHandle
	}
	return lost, nil
}

// isServed reports whether the client has what a decision permits and nothing else: the
// grants have not changed, and no resync is pending.
func (x *exchange) isServed(d authz.Decision) (bool, error) {
	lost, err := x.interrupted()
	c := &x.client.cursor
	if err != nil || len(c.Pending) > 0 || c.Served.Fingerprint != d.Fingerprint {
		return false, err
	}
	return lost.IsEmpty() || lost.And(d.Grants).IsEmpty(), nil
}

// newestStep returns a transaction that no late message comes after. It returns false if
// no message can be late.
func (x *exchange) newestStep() (newest electric.TxID, any bool) {
	steps := x.client.cursor.Steps
	for i := range steps {
		if n := steps[i].Fence.Newest(); !any || newest.Before(n) {
			newest, any = n, true
		}
	}
	return newest, any
}

// mayBeLate reports whether a part of the log may have messages that are late.
func (x *exchange) mayBeLate(p *feed.Part) bool {
	newest, any := x.newestStep()
	return any && (!p.InMemory() || p.TellsOf(newest))
}

// filter returns the filter of a part of the log for a client whose grants are those that
// it was served.
func (x *exchange) filter(ctx context.Context, d authz.Decision, late bool) (*rowfilter.Filter, error) {
	if !late {
		return rowfilter.Steady(x.shape.table.rule(), d.Grants), nil
	}
	steps, err := x.steps(ctx, d, d.Grants)
	if err != nil {
		return nil, err
	}
	return rowfilter.New(x.shape.table.rule(), d.Grants, d.Grants, nil, steps), nil
}

// filterOfResync returns the filter of a part of the log for a client whose grants have
// changed. held are the grants that the client may hold rows of, those that it was served
// first. lost are ids that were taken away for a while: what was written meanwhile is not
// for the client, though it may hold their rows.
func (x *exchange) filterOfResync(ctx context.Context, d authz.Decision, held []authz.Grants, lost authz.Grants) (*rowfilter.Filter, error) {
	steps, err := x.steps(ctx, d, held[0])
	if err != nil {
		return nil, err
	}
	return rowfilter.New(x.shape.table.rule(), d.Grants, held[0], held[1:], steps).Interrupted(lost), nil
}

// steps recalls the grants of the cursor's steps.
func (x *exchange) steps(ctx context.Context, d authz.Decision, served authz.Grants) ([]rowfilter.Step, error) {
	named := x.client.cursor.Steps
	steps := make([]rowfilter.Step, len(named))
	after := served
	for i := len(named) - 1; i >= 0; i-- {
		held, err := x.recallAll(ctx, d, named[i].Before)
		if err != nil {
			return nil, err
		}
		steps[i] = rowfilter.Step{Fence: named[i].Fence, Held: held}
		var before authz.Grants
		if len(held) > 0 {
			before = held[0]
		}
		if !named[i].Fresh {
			steps[i].Kept = before.And(after).Minus(grantsOfIDs(after, named[i].Interrupted))
		}
		after = before
	}
	return steps, nil
}

// explain makes a 400 of a value that Electric refused. Where a shape has params, their
// values are all that can be wrong with a request that was otherwise built here.
func (x *exchange) explain(err error) error {
	if isMisconfigured(err) {
		return err
	}
	if errors.Is(err, electric.ErrRefused) && x.req.where != "" {
		return &problem{
			kind: badRequest, field: "where", cause: err,
			message: "Electric does not take this: a value may not be of its column's type",
		}
	}
	if errors.Is(err, electric.ErrRefused) && len(x.shape.def.Params) > 0 {
		return &problem{
			kind: badRequest, field: strings.Join(x.shape.def.Params, ","), cause: err,
			message: "not a value that the shape's table can be asked for",
		}
	}
	return err
}

// idsOf returns the ids that grants hold for a number of filters, or nil if they are more
// than most.
func idsOf(g authz.Grants, filters, most int) [][]string {
	ids := make([][]string, filters)
	n := 0
	for i := range ids {
		if n += g.Set(i).Len(); n > most || g.IsEverything() {
			return nil
		}
		ids[i] = slices.Collect(g.Set(i).All())
	}
	if n == 0 {
		return nil
	}
	return ids
}

// grantsOfIDs returns the ids, by filter, that grants hold.
func grantsOfIDs(g authz.Grants, ids [][]string) authz.Grants {
	if len(ids) == 0 {
		return authz.Grants{}
	}
	sets := make([]*authz.GrantSet, len(ids))
	for i, of := range ids {
		if table := g.Set(i).IDs(); table != nil {
			sets[i] = authz.NewGrantSet(table, slices.Values(of))
		}
	}
	return authz.GrantsOf(sets...)
}
