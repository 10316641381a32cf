package proxy

import (
	"context"

	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
)

// storedRead answers the first read of a shape whose first_read is "stored", by a reader
// that sees every row: with the beginning of Electric's stored log.
type storedRead struct{ x *exchange }

func (s *storedRead) serve(ctx context.Context) error {
	p, err := s.x.source.read(ctx, feed.Place{Offset: electric.BeforeAll})
	if err != nil {
		return s.x.req.explain(err)
	}
	defer closing(p)
	d, err := s.x.access.reauthorizeLog(ctx)
	if err != nil {
		return err
	}
	if !d.Grants.IsEverything() {
		return errStaleHandle
	}
	s.x.client.become(cursor.Now(p.End.Handle, electric.Start, d), true)
	r := logRead{x: s.x, part: p, d: d, served: true}
	_, err = r.deliver(ctx, true)
	return err
}
