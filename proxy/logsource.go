package proxy

import (
	"context"
	"errors"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// logSource is where the messages of one request come from, before it is decided who may
// see them: the feed of its log spec, which it shares with others and opens when it is first
// read.
type logSource struct {
	upstream *upstream
	shape    *shape
	spec     *electric.LogSpec
	subject  string // the feed counts against it
	narrowed bool   // the spec has not all columns of the shape

	feed       *feed.Feed // nil until it is read
	cohort     *feed.Cohort
	cohortName authz.Fingerprint
}

// open returns the feed, which release releases.
func (s *logSource) open() (*feed.Feed, error) {
	if s.feed == nil {
		f, err := s.upstream.feeds.Open(s.spec, s.shape.feedColumns, s.shape.def.Name, s.subject)
		if err != nil {
			return nil, err
		}
		s.feed = f
	}
	return s.feed, nil
}

func (s *logSource) release() {
	s.leaveCohort()
	if s.feed != nil {
		s.feed.Release()
	}
}

// position returns where the log ends, as far as the feed has read it.
func (s *logSource) position(ctx context.Context) (feed.Place, *electric.Schema, error) {
	return s.positionOf(ctx, (*feed.Feed).Position)
}

// positionNow is position, as Electric itself says: for a reader that asks for what is
// written from now on, and for nothing before.
func (s *logSource) positionNow(ctx context.Context) (feed.Place, *electric.Schema, error) {
	return s.positionOf(ctx, (*feed.Feed).PositionNow)
}

func (s *logSource) positionOf(ctx context.Context, ask func(*feed.Feed, context.Context) (feed.Place, *electric.Schema, error)) (feed.Place, *electric.Schema, error) {
	f, err := s.open()
	if err != nil {
		return feed.Place{}, nil, err
	}
	at, table, err := ask(f, ctx)
	if err == nil {
		s.learn(table)
	}
	return at, table, err
}

// read returns the messages that are there after a place. The caller closes the part.
// errStaleHandle says that the log does not have the place.
func (s *logSource) read(ctx context.Context, after feed.Place) (*feed.Part, error) {
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	p, err := f.Read(ctx, after)
	if after.Handle == "" && errors.Is(err, electric.ErrRefused) {
		return nil, err // there is no place to refuse: it is a value in the spec
	}
	if err != nil {
		return nil, staleHandle(err)
	}
	s.learn(p.Schema)
	return p, nil
}

// learn keeps what an answer said of the table, if it said all.
func (s *logSource) learn(table *electric.Schema) {
	if !s.narrowed {
		s.shape.table.learn(table)
	}
}

// errStaleHandle says that the client has to begin anew.
var errStaleHandle = errors.New("the handle or offset is not of a log that is here")

// staleHandle turns Electric's refusals of a read into the one answer that they have for
// a client. Everything else in the request was built here: what Electric can refuse is
// the position, one that it never gave out.
func staleHandle(err error) error {
	if isMisconfigured(err) {
		return err
	}
	if errors.Is(err, electric.ErrMustRefetch) || errors.Is(err, electric.ErrRefused) {
		return errStaleHandle
	}
	return err
}

// cohortOf returns the cohort of the readers with a decision's grants: those whose answers
// are the same.
func (s *logSource) cohortOf(f *feed.Feed, d authz.Decision) *feed.Cohort {
	if s.cohort != nil && s.cohortName == d.Fingerprint {
		return s.cohort
	}
	s.leaveCohort()
	s.cohortName = d.Fingerprint
	s.cohort = f.Cohort(d.Fingerprint.String(), func() (feed.View, feed.Encoder) {
		filter := rowfilter.Steady(s.shape.table.rule(), d.Grants)
		return s.shape.feedView(d.Grants), func(dst []byte, m *electric.Message) ([]byte, bool, error) {
			dst, fate, err := filter.Append(dst, m)
			return dst, fate != rowfilter.Nothing, err
		}
	})
	return s.cohort
}

func (s *logSource) leaveCohort() {
	if s.cohort != nil {
		s.cohort.Release()
		s.cohort = nil
	}
}
