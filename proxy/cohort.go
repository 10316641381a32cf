package proxy

import (
	"slices"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/schema"
)

// shareColumns gives shapes of one table the same columns, so that they can share a
// feed.
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

// feedView is the visibility by which a feed wakes its readers.
func (s *shape) feedView(v visibility) feed.View {
	view := feed.View{All: v.all}
	for i, c := range v.columns {
		view.Grants = append(view.Grants, feed.Grant{Column: s.filterColumns[i], IDs: c.grants})
	}
	return view
}

// cohort returns those who read the feed with the same decision, whose answers the
// reading may share.
func (rd *reading) cohort(f *feed.Feed) *feed.Cohort {
	if rd.among != nil && rd.amongName == rd.decision.Name {
		return rd.among
	}
	rd.leaveCohort()
	view := rd.shape.visibility(rd.decision)
	rd.amongName = rd.decision.Name
	rd.among = f.Cohort(rd.decision.Name.String(), func() (feed.View, feed.Encoder) {
		keys, through := rd.shape.keys(), view.steady()
		return rd.shape.feedView(view), func(dst []byte, m *electric.Message) ([]byte, bool, error) {
			return through.apply(dst, m, keys)
		}
	})
	return rd.among
}

func (rd *reading) leaveCohort() {
	if rd.among != nil {
		rd.among.Release()
		rd.among = nil
	}
}

// interest is what the reading waits for.
func (rd *reading) interest(f *feed.Feed) feed.Interest {
	in := feed.Interest{Cohort: rd.cohort(f)}
	in.Newest, in.Late = rd.newestLate()
	return in
}

// newestLate returns a transaction that none comes after which may be told of late.
func (rd *reading) newestLate() (newest electric.TxID, any bool) {
	for i := range rd.late {
		if n := rd.late[i].seen.Newest(); !any || newest.Before(n) {
			newest, any = n, true
		}
	}
	return newest, any
}

// shared returns what the reading is sent of a batch, where that is what everybody of
// its cohort is sent: where nothing of it comes late, and nothing has to be confirmed
// for this reader alone.
func (rd *reading) shared(b *batch) (*feed.Answer, bool, error) {
	const most = 1 << 20 // more is written as it is read, and kept for nobody
	if b.Size() > most && !b.Woken() {
		return nil, false, nil
	}
	if rd.feed == nil || rd.narrowed || rd.shape.isStrict() || !b.InMemory() || b.unreadRaw != nil {
		return nil, false, nil
	}
	if newest, any := rd.newestLate(); any && b.TellsOf(newest) {
		return nil, false, nil
	}
	answer, err := rd.cohort(rd.feed).Answer(b.Part)
	return answer, err == nil, err
}
