package proxy

import (
	"context"
	"strconv"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/permissions"
	"github.com/shapegate/shapegate/proxy/subset"
)

// open does not read what the client asked for again: it may be 8 MB of ids.
func (s *grantsSource) open(_ context.Context, _ *subset.Request, g authz.Grants) (snapshot, error) {
	ids, leftOut := s.table.IDs(g)
	if leftOut > 0 {
		s.notes.leftOut(s.def.Name, permissions.IDColumn, s.def.ColumnType, leftOut)
	}
	return &grantsSnapshot{at: placeAt(microsNow()), table: s.table, ids: s.selected.Of(ids)}, nil
}

// grantsSnapshot is the rows of a collection for some grants.
type grantsSnapshot struct {
	at    feed.Place
	table *permissions.Table
	ids   []string
}

func (g *grantsSnapshot) begin() (feed.Place, *electric.Schema) { return g.at, g.table.Schema() }

// Fence is that of rows which no message can be older than.
func (g *grantsSnapshot) Fence() (electric.Fence, error) { return electric.Fence{}, nil }

// meta is of a snapshot that has seen no transaction of Postgres: nobody waits for one here.
func (g *grantsSnapshot) meta() *electric.Metadata {
	lsn := strconv.FormatUint(g.at.Offset.LSN(), 10)
	return &electric.Metadata{
		Raw:  []byte(`{"xmin":"0","xmax":"0","xip_list":[],"snapshot_mark":0,"database_lsn":"` + lsn + `"}`),
		XMin: []byte(`"0"`), XMax: []byte(`"0"`), XIPList: []byte(`[]`), DatabaseLSN: []byte(`"` + lsn + `"`),
	}
}

// write writes the rows of what is permitted as it begins: what was lost since the rows were
// asked for is left out, and the answer's handle says so.
func (g *grantsSnapshot) write(ctx context.Context, out *arrayWriter, guard *guard) error {
	permitted := guard.permitted
	var buf []byte
	for _, id := range g.ids {
		if err := guard.stays(ctx, permitted); err != nil {
			return err
		}
		if buf = g.table.AppendRow(buf[:0], permitted, id); len(buf) == 0 {
			continue
		}
		if err := out.add(buf); err != nil {
			return err
		}
	}
	return nil
}

func (g *grantsSnapshot) Close() {}
