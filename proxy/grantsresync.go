package proxy

import (
	"context"

	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/permissions"
)

// grantsResync is the resync of a collection: the rows that have changed.
type grantsResync struct{ change *permissions.Change }

// resync compares the client's grants with a decision. There is nobody to ask for rows.
// errStaleHandle says that the grants cannot be compared.
func (s *grantsSource) resync(ctx context.Context, l *logRead) (*resync, error) {
	x, d := l.x, l.d
	named := x.named()
	held, err := named.mayHold(ctx, d)
	if err != nil {
		return nil, err
	}
	x.server.metrics.resyncs.WithLabelValues(s.def.Name).Inc()
	return &resync{
		x: x, guard: guardOf(x.access, d),
		of:   cursor.Resync{To: cursor.Named(d), At: d.At},
		body: &grantsResync{s.table.NewChange(held, d.Grants)},
	}, nil
}

func (r *grantsResync) write(ctx context.Context, p *feed.Part, g *guard, send func(message []byte) error) (upToDate []byte, err error) {
	permitted := g.permitted
	var buf []byte
	for _, id := range r.change.IDs() {
		if err := g.stays(ctx, permitted); err != nil {
			return nil, err
		}
		if buf = r.change.Append(buf[:0], id); len(buf) == 0 {
			continue
		}
		if err := send(buf); err != nil {
			return nil, err
		}
	}
	return feed.UpToDateMessage(p.LastSeen), nil
}

func (r *grantsResync) Close() {}
