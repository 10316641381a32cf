package proxy

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// reading is one request of one person for one shape.
type reading struct {
	h       *Handler
	shape   *shape
	query   url.Values
	creds   credentials
	context requestContext
	logRequest
	params map[string]string

	access
	revoked bool // grants have changed since rows were asked for
}

// access is what one reader may see, as of the last time it was asked.
type access struct {
	subject     authz.Subject
	view        visibility
	fingerprint authz.Fingerprint
}

// decide asks what a subject may see.
func (rd *reading) decide(ctx context.Context, subject authz.Subject) (access, error) {
	q, err := rd.shape.question(subject, rd.params, rd.context)
	if err != nil {
		return access{}, err
	}
	d, err := rd.h.authorizer.Decide(ctx, q)
	if err != nil {
		return access{}, err
	}
	return access{
		subject:     subject,
		view:        rd.shape.visibility(d),
		fingerprint: authz.CombineFingerprints(rd.h.fingerprintKey, rd.shape.rule, d.Fingerprint(rd.h.fingerprintKey)),
	}, nil
}

// recheck asks once more, for a strict shape, what the subject may see: the rows
// that are about to be sent were read after it was asked before. For a bounded
// shape, what was decided when the request came is recent enough.
func (rd *reading) recheck(ctx context.Context) (access, error) {
	if rd.shape.def.Consistency != schema.Strict {
		return rd.access, nil
	}
	return rd.decide(ctx, rd.subject)
}

// unchanged is recheck for a read of the log, whose handle names the grants that
// it was read with: it returns errStaleHandle if they are others by now.
func (rd *reading) unchanged(ctx context.Context) error {
	now, err := rd.recheck(ctx)
	if err == nil && now.fingerprint != rd.fingerprint {
		err = errStaleHandle
	}
	return err
}

// scope is what handles of this reading are good for.
func (rd *reading) scope() scope {
	s := scope{shape: rd.shape.def.Name, subject: rd.subject}
	for _, name := range rd.shape.def.Params {
		s.params = append(s.params, rd.params[name])
	}
	return s
}

func (rd *reading) mint(at position, base electric.Offset) handle {
	return rd.h.handleKey.mint(rd.scope(), at.handle, rd.fingerprint, base)
}

// openLog returns the log to read. What the table looks like decides which feed
// that is, so it has to be known first.
func (rd *reading) openLog(ctx context.Context) (shapeLog, error) {
	if rd.shape.table.Load() == nil {
		_, table, err := rd.upstream().Position(ctx)
		if err != nil {
			return nil, rd.explain(err)
		}
		rd.shape.learn(table)
	}
	if err := rd.shape.checkFilterTypes(); err != nil {
		return nil, err
	}
	return rd.upstream(), nil
}

func (rd *reading) upstream() upstreamLog {
	return upstreamLog{
		client: rd.h.electric,
		feed:   rd.shape.feed(rd.params, rd.view.all, rd.log, rd.replica),
	}
}

// position asks where the log ends, and learns what the table looks like.
func (rd *reading) position(ctx context.Context, log shapeLog) (position, *electric.Schema, error) {
	at, table, err := log.Position(ctx)
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
