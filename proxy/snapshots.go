package proxy

import (
	"context"
	"sync"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// snapshots are where the rows of one request come from, before it is decided who may see
// them: from Electric, which is asked for rows as they are now.
type snapshots struct {
	place *admission // of the request
	log   *logSource // whose rows they are
}

// open asks for the rows that grants reach and that the client asked for. The caller closes
// the rows.
func (s *snapshots) open(ctx context.Context, asked *subset.Request, g authz.Grants) (*rows, error) {
	p, err := s.plan(asked, g)
	if err != nil {
		return nil, err
	}
	return s.ask(ctx, p)
}

// ask asks for the rows of a plan: for the first snapshot at once, so that its failure can
// still be answered with a status. The caller closes the rows.
//
// Requests that ask for the same few rows at the same time share a snapshot. Where a document
// is shared with a group, thousands of waiting readers ask for its row.
func (s *snapshots) ask(ctx context.Context, p *plan) (*rows, error) {
	leave, err := s.place.turn(ctx)
	if err != nil {
		return nil, err
	}
	first, read, err := s.first(ctx, p)
	if err != nil {
		leave()
		return nil, err
	}
	s.log.learn(first.Schema)
	return &rows{
		ctx: ctx, snapshots: s, todo: p.subsets[1:], open: first, first: first,
		leave: sync.OnceFunc(func() { read(); leave() }),
	}, nil
}

// first takes the first snapshot of a plan, or shares it with others. The caller calls read
// when the plan's rows have been read.
func (s *snapshots) first(ctx context.Context, p *plan) (first *electric.SubsetResponse, read func(), err error) {
	kept, asked, err := s.log.upstream.shared.join(ctx, s, p)
	if err != nil {
		return nil, nil, err
	}
	defer asked()
	if kept != nil {
		return kept.Open(), func() {}, nil
	}
	if read, err = s.place.limiter.read(ctx); err != nil {
		return nil, nil, err
	}
	if first, err = s.take(ctx, p.subsets[0]); err != nil {
		read()
		return nil, nil, err
	}
	return first, read, nil
}

// take returns rows as they are now: at no time before the call.
func (s *snapshots) take(ctx context.Context, q electric.Subset) (*electric.SubsetResponse, error) {
	return s.log.upstream.electric.ReadSubset(ctx, s.log.spec, q)
}
