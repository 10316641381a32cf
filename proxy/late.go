package proxy

import (
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// late is a snapshot that a reader was given rows of, and what the reader saw
// before. Electric's log runs a little behind the table: messages that come after
// the snapshot may tell of what it had already seen.
//
// Of the rows that the snapshot brought, such a message tells the past, which may
// be from before they were granted; the reader has their state. And where it tells
// that a row left, the snapshot no longer had the row to say so.
type late struct {
	seen electric.Fence
	kept visibility // rows that the snapshot was not asked for
	held visibility // rows that the reader may have had before

	// extra is what it may have had besides, see extras: where the snapshot does not
	// have it any more, only a message that comes late says so.
	extra []brought

	// brought are the keys of the rows that the snapshot brought: they are there,
	// whatever became of them before. That holds for who surely has it.
	brought map[string]bool
	until   time.Time // by then the log has caught up

	// inStream is the mark of the change that a stream told with the snapshot, to whoever
	// holds the handle that the stream began with. To who comes back with that handle,
	// what was sent may be lost: then it is unsure, and held is from a later point than
	// the handle's.
	inStream authz.Mark
	unsure   bool
}

// lateness bounds how far Electric's log may run behind and still be reckoned with.
const lateness = time.Minute

// lateLogs remembers which messages may still come late. What is not known comes in
// time.
type lateLogs struct{ *remembered[[]late] }

func newLateLogs(now func() time.Time) lateLogs {
	return lateLogs{newRemembered[[]late](lateness, now)}
}

// of returns what may still come late for a handle.
func (l lateLogs) of(h handle) (still []late) {
	now := l.now()
	l.update(h, func(all *[]late, known bool) bool {
		for len(*all) > 0 && now.After((*all)[0].until) {
			*all = (*all)[1:]
		}
		still = *all
		return known
	})
	return still
}

// surely returns what may come late for who holds a handle, and surely has what was told
// in streams up to a mark.
func surely(all []late, told authz.Mark) []late {
	all = slices.Clone(all)
	for i := range all {
		switch l := &all[i]; {
		case l.inStream == authz.Mark{}:
		case l.inStream.Lineage == told.Lineage && l.inStream.Version <= told.Version:
			l.inStream, l.unsure = authz.Mark{}, false
		default:
			l.brought, l.unsure = nil, true
		}
	}
	return all
}

// put notes what may come late for a handle.
func (l lateLogs) put(h handle, all []late) {
	if len(all) > 0 {
		l.remembered.put(h, all)
	}
}

// after returns what may come late once a snapshot was delivered, in a stream that tells
// of a change or, with the zero mark, in an answer, besides what could before.
func (rd *reading) after(before []late, metadata *electric.Metadata, through window, brought map[string]bool, inStream authz.Mark) []late {
	seen, ok := metadata.Fence()
	if !ok {
		return before
	}
	l := late{
		seen: seen, kept: through.kept, held: through.held, extra: withoutCame(through.extra),
		brought: brought, until: rd.h.now().Add(lateness), inStream: inStream,
	}
	return append(before[:len(before):len(before)], l)
}

// withoutCame returns what was brought without what one window knows of it.
func withoutCame(extra []brought) []brought {
	extra = slices.Clone(extra)
	for i := range extra {
		extra[i].came = nil
	}
	return extra
}

// of returns the window through which a message is seen, which is narrower for one
// that comes late. Settled is whether the reader surely has the row in a later state
// already: then the message tells nothing but the past, and that the row left
// something is as wrong as that it came.
func (w *window) of(m *electric.Message) (narrow window, settled bool) {
	narrow = *w
	narrow.late = nil
	seen := false
	for i := range w.late {
		l := &w.late[i]
		if !m.SeenBy(&l.seen) {
			continue
		}
		narrow.kept = narrow.kept.and(l.kept)
		narrow.extra = append(narrow.extra[:len(narrow.extra):len(narrow.extra)], l.extra...)
		settled = settled || l.brought[string(m.Key())]
		switch {
		case l.unsure:
		case !seen:
			narrow.held, seen = l.held, true
		default:
			narrow.held = narrow.held.or(l.held)
		}
	}
	return narrow, settled
}

// and returns the rows that both see. Both are of one shape.
func (v visibility) and(u visibility) visibility {
	switch {
	case v.all:
		return u
	case u.all:
		return v
	}
	both := visibility{columns: make([]columnGrants, len(v.columns))}
	for i, c := range v.columns {
		both.columns[i] = columnGrants{c.column, nil}
		if i < len(u.columns) {
			both.columns[i].grants = c.grants.Intersection(u.columns[i].grants)
		}
	}
	return both
}

// or returns the rows that either sees. Both are of one shape.
func (v visibility) or(u visibility) visibility {
	if v.all || u.all {
		return visibility{all: true}
	}
	either := visibility{columns: make([]columnGrants, len(v.columns))}
	for i, c := range v.columns {
		either.columns[i] = c
		if i < len(u.columns) {
			either.columns[i].grants = c.grants.Union(u.columns[i].grants)
		}
	}
	return either
}
