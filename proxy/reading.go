package proxy

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// reading is one request of one person for one shape.
type reading struct {
	h       *Handler
	shape   *shape
	query   url.Values
	creds   credentials
	place   *admission
	context requestContext
	gzip    bool // the client takes it
	logRequest
	params map[string]string

	subject authz.Subject
	lease   authz.Lease
	fresh   authz.ZedToken // the answer has seen what this revision has

	// What the reader may see, as of the last time it was asked.
	decision authz.Decision
	view     visibility
	narrowed bool // the view is another one than the decision's

	late []late // see lateLogs

	feed      *feed.Feed   // nil until it is read
	among     *feed.Cohort // nil: none yet
	amongName authz.Fingerprint

	known knownChange
}

// knownChange is what was last said of a change.
type knownChange struct {
	is        bool
	now, then authz.Mark
	name      authz.Fingerprint // of then
	change    authz.Change
}

// open takes a lease on what the reader may see, and asks for the first time. The
// caller releases the lease, if there is one.
func (rd *reading) open(ctx context.Context) error {
	q, err := rd.shape.question(rd.subject, rd.params, rd.context)
	if err != nil {
		return err
	}
	if rd.lease, err = rd.h.authorizer.Open(q); err != nil {
		return err
	}
	return rd.decideAnew(ctx)
}

func (rd *reading) release() {
	rd.place.leave()
	rd.leaveCohort()
	if rd.feed != nil {
		rd.feed.Release()
	}
	if rd.lease != nil {
		rd.lease.Release()
	}
}

// decideAnew asks what the reader may see now, as fresh as the shape wants it.
func (rd *reading) decideAnew(ctx context.Context) error {
	if rd.shape.isStrict() {
		return rd.decide(ctx, authz.Strict)
	}
	return rd.decide(ctx, authz.Bounded)
}

func (rd *reading) decide(ctx context.Context, consistency authz.Consistency) error {
	d, err := rd.lease.Decide(ctx, consistency, rd.fresh)
	if err != nil {
		return err
	}
	rd.decision, rd.view, rd.narrowed = d, rd.shape.visibility(d), false
	return nil
}

// narrow asks once more what the reader may see, now that rows are there which
// were asked for with an earlier decision. From then on the view permits only
// what both do. The decision stays: a handle that names it will tell the reader
// of what changed in between.
func (rd *reading) narrow(ctx context.Context) error {
	asked := rd.decision
	if err := rd.decideAnew(ctx); err != nil {
		return err
	}
	rd.narrowed = rd.decision.Name != asked.Name
	rd.decision = asked
	return nil
}

// since says what changed for the reader since it was given a handle. It returns
// errStaleHandle if that is not known.
func (rd *reading) since(h handle) (authz.Change, error) {
	// As long as the decision is the same one, so is the answer: a wait that is woken
	// asks again and again.
	if k := &rd.known; k.is && k.now == rd.decision.Mark && k.then == h.mark && k.name == h.fingerprint {
		return k.change, nil
	}
	c, ok := rd.lease.Since(rd.decision, h.mark, h.fingerprint)
	if !ok || rd.isBeyond() && !c.Exact {
		return c, errStaleHandle
	}
	rd.known = knownChange{true, rd.decision.Mark, h.mark, h.fingerprint, c}
	return c, nil
}

// reauthorize asks anew who sends the request and what they may see, and says what
// changed since a handle. A request that waited must ask before it delivers:
// neither a token nor a grant from before the wait is good for what was written
// since. Messages of a strict shape are confirmed besides, see confirm.
func (rd *reading) reauthorize(ctx context.Context, h handle) (authz.Change, error) {
	subject, _, err := rd.h.identify(ctx, &rd.creds)
	if err != nil {
		return authz.Change{}, err
	}
	if subject.ObjectRef != rd.subject.ObjectRef {
		return authz.Change{}, errStaleHandle
	}
	if err := rd.decide(ctx, authz.Bounded); err != nil {
		return authz.Change{}, err
	}
	return rd.since(h)
}

// scope is what handles of this reading are good for.
func (rd *reading) scope() scope {
	s := scope{shape: rd.shape.def.Name, subject: rd.subject}
	for _, name := range rd.shape.def.Params {
		s.params = append(s.params, rd.params[name])
	}
	return s
}

// mint returns a new handle, which says that what the decision permits was served.
func (rd *reading) mint(at feed.Place, base electric.Offset) handle {
	h := rd.h.handleKey.mint(rd.scope(), at.Handle, &rd.decision, base)
	rd.h.extras.put(h, extra{})
	return h
}

// current returns the handle that an answer carries where nothing has changed: the
// one that the client holds, or one like it with a mark of this process, from
// which on every change is known.
func (rd *reading) current(h handle, c authz.Change) handle {
	if c.Exact {
		return h
	}
	stamped := rd.h.handleKey.mint(rd.scope(), h.upstream, &rd.decision, h.base)
	rd.h.late.put(stamped, rd.late)
	return stamped
}

// steady is the window of a part of the log during which nothing changed.
func (rd *reading) steady() window {
	w := rd.view.steady()
	w.late = rd.late
	return w
}

// openLog returns the log to read. What the table looks like decides which feed
// that is, so it has to be known first.
func (rd *reading) openLog(ctx context.Context) (shapeLog, error) {
	if rd.shape.table.Load() == nil {
		if err := rd.learn(ctx); err != nil {
			return shapeLog{}, rd.explain(err)
		}
	}
	if err := rd.shape.checkFilterTypes(); err != nil {
		return shapeLog{}, err
	}
	return shapeLog{rd, rd.upstream()}, nil
}

func (rd *reading) upstream() *electric.LogSpec {
	return rd.shape.feed(rd.params, rd.view.all, rd.log, rd.replica)
}

// learn asks what the table looks like.
func (rd *reading) learn(ctx context.Context) error {
	resp, err := rd.h.electric.ReadLog(ctx, rd.upstream(), electric.LogRequest{Offset: electric.Now})
	if err != nil {
		return err
	}
	rd.shape.learn(resp.Schema)
	return resp.Close()
}

// position asks in one way where the log ends, and learns what the table looks like.
func (rd *reading) position(ctx context.Context, ask func(context.Context) (feed.Place, *electric.Schema, error)) (feed.Place, *electric.Schema, error) {
	at, table, err := ask(ctx)
	if err != nil {
		return at, nil, rd.explain(err)
	}
	rd.shape.learn(table)
	return at, table, nil
}

// explain tells a client whose param was refused so. Where a shape has params,
// their values are all that can be wrong with a request that was otherwise built
// here.
func (rd *reading) explain(err error) error {
	if errors.Is(err, electric.ErrRefused) && len(rd.shape.def.Params) > 0 {
		return &problem{
			kind: badRequest, field: strings.Join(rd.shape.def.Params, ","), cause: err,
			message: "not a value that the shape's table can be asked for",
		}
	}
	return err
}
