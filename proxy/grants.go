package proxy

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// shareColumns gives shapes of one table the same columns, so that they can share a feed.
func shareColumns(shapes map[string]*shape) {
	byTable := make(map[schema.Table][]feed.Column)
	for _, s := range shapes {
		for _, f := range s.def.Authorize.Filter {
			c := feed.Column{Name: f.Column, ResourceType: f.Resource}
			if all := byTable[s.def.Table]; !slices.Contains(all, c) {
				byTable[s.def.Table] = append(all, c)
			}
		}
	}
	for _, s := range shapes {
		s.feedColumns = byTable[s.def.Table]
		for _, f := range s.def.Authorize.Filter {
			s.filterColumns = append(s.filterColumns, slices.Index(s.feedColumns, feed.Column{Name: f.Column, ResourceType: f.Resource}))
		}
	}
}

// feedView is what a feed wakes the readers of some grants for.
func (s *shape) feedView(g authz.Grants) feed.View {
	view := feed.View{All: g.IsEverything()}
	if view.All {
		return view
	}
	for i, column := range s.filterColumns {
		view.Grants = append(view.Grants, feed.Grant{Column: column, IDs: g.Set(i)})
	}
	return view
}

// idsOf returns the ids that grants hold, by filter, or nil if they are more than most.
func (s *shape) idsOf(g authz.Grants, most int) [][]string {
	ids := make([][]string, len(s.def.Authorize.Filter))
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
func (s *shape) grantsOfIDs(g authz.Grants, ids [][]string) authz.Grants {
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

// validIDs returns the ids that a filter's column can hold, spelled as Postgres prints
// them. One that it cannot hold would make Electric refuse the whole request (recording
// 07), and an id in another spelling would be one object to SpiceDB and another to SQL:
// both are left out, and counted.
func (s *shape) validIDs(column string, set *authz.GrantSet) []string {
	columnType := s.table.Load().Columns[column].Type
	ids := make([]string, 0, set.Len())
	for id := range set.All() {
		if canonical, ok := subset.CanonicalValue(columnType, id); ok && canonical == id {
			ids = append(ids, id)
		}
	}
	if left := set.Len() - len(ids); left > 0 {
		s.leftOut.note(s.def.Name, column, columnType, left)
	}
	return ids
}

// leftOut counts the ids that were left out, and logs them once a minute for each column.
type leftOut struct {
	metrics *metrics
	log     *slog.Logger

	mu     sync.Mutex
	logged map[string]time.Time // by shape and column
}

const leftOutEvery = time.Minute

func newLeftOut(m *metrics, log *slog.Logger) *leftOut {
	return &leftOut{metrics: m, log: log, logged: make(map[string]time.Time)}
}

func (l *leftOut) note(shape, column, columnType string, count int) {
	l.metrics.idsLeftOut.WithLabelValues(shape).Add(float64(count))
	l.mu.Lock()
	defer l.mu.Unlock()
	key, now := shape+"."+column, time.Now()
	if now.Sub(l.logged[key]) < leftOutEvery {
		return
	}
	l.logged[key] = now
	l.log.Warn("object ids that the filter's column cannot hold are left out; give the objects ids that are values of the column",
		"shape", shape, "column", column, "type", columnType, "count", count)
}
