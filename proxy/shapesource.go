package proxy

import (
	"context"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// shapeSource is the source of a shape: a feed of Electric's, and snapshots at Electric.
type shapeSource struct {
	*logSource
	snapshots snapshots
	req       *shapeRequest
}

// newSource returns the source of a request for a shape. Nothing is read yet.
func (s *shapeServer) newSource(r *shapeRequest, who *access, d authz.Decision) *shapeSource {
	log := &logSource{upstream: &s.upstream, shape: r.shape, spec: r.logSpec(d), subject: who.subject.String(), narrowed: r.narrowed != nil}
	return &shapeSource{log, snapshots{place: who.place, log: log}, r}
}

func (s *shapeSource) firstRead(x *exchange, d authz.Decision) answer {
	if s.shape.readsStored() {
		return &storedRead{x}
	}
	return &initialRead{x, d}
}

func (s *shapeSource) join(ctx context.Context, after feed.Place, d authz.Decision, c *client) (waiter, *feed.Part, error) {
	f, err := s.logSource.open()
	if err != nil {
		return nil, nil, err
	}
	interest := feed.Interest{Cohort: s.cohortOf(f, d)}
	interest.Newest, interest.Late = c.newestStep()
	reader, part, err := f.Join(ctx, after, interest)
	if reader == nil {
		return nil, part, err
	}
	return reader, part, err
}

func (s *shapeSource) shared(p *feed.Part, d authz.Decision) (*feed.Answer, bool, error) {
	if s.feed == nil {
		return nil, false, nil
	}
	answer, err := s.cohortOf(s.feed, d).Answer(p)
	return answer, err == nil, err
}

func (s *shapeSource) filtered(ctx context.Context, r *logRead) (*logPart, error) {
	filter, err := s.named(r.x).filter(ctx, r.d, r.part, r.served)
	if err != nil {
		return nil, err
	}
	return newLogPart(&s.snapshots, r.part, filter, guardOf(r.x.access, r.d)), nil
}

// named returns the grants that a client's cursor names, as far as rows are concerned.
func (s *shapeSource) named(x *exchange) *namedGrants {
	n := x.named()
	n.rule = s.shape.table.rule()
	return n
}

func (s *shapeSource) open(ctx context.Context, asked *subset.Request, g authz.Grants) (snapshot, error) {
	if err := s.countLog(); err != nil {
		return nil, err
	}
	r, err := s.snapshots.open(ctx, asked, g)
	if err != nil {
		return nil, s.req.explainSubset(err)
	}
	return r, nil
}

// countLog counts a log that values of the client's name among those of its subject, as
// a read of the log does. Electric makes a shape for each, for a subset as well, and
// keeps it.
func (s *shapeSource) countLog() error {
	if !s.narrowed && len(s.req.params) == 0 {
		return nil
	}
	_, err := s.logSource.open()
	return err
}
