package electrictest

import (
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"time"
)

// shapes is all shapes that Electric keeps: those that are valid, and those that are gone
// but still shown by a front that lags. The database's lock guards it.
type shapes struct {
	generations map[string][]*shape // by their definition's identity, the oldest first
	handles     map[string]*shape
	lastHandle  int64 // the time in it
	chunkBytes  int   // the size at which a chunk is closed
	seen        int64 // the LSN of the last transaction that Electric was sent
	lags        []*lag
}

func newShapes(chunkBytes int, lsn int64) shapes {
	return shapes{
		generations: make(map[string][]*shape), handles: make(map[string]*shape),
		chunkBytes: chunkBytes, seen: lsn,
	}
}

// atOnce is the LSN of what no front lags behind.
const atOnce = 1

// noLag is the limit of a front that does not lag: greater than any LSN.
const noLag = math.MaxInt64

// lag is how far one front shows the logs.
type lag struct {
	limit int64 // the last LSN that it shows
	seen  int64 // while it lags: the LSN of the last transaction that it shows
}

// newLag returns the lag of another front, which has none. Shapes that are gone are kept
// for as long as its limit is before their end.
func (s *shapes) newLag() *lag {
	l := &lag{limit: noLag}
	s.lags = append(s.lags, l)
	return l
}

// lastSeen returns the LSN of the last transaction that the logs show.
func (s *shapes) lastSeen(l *lag) int64 {
	if l.limit == noLag {
		return s.seen
	}
	return l.seen
}

// of returns the shape that a definition has as far as an LSN, or nil.
func (s *shapes) of(identity string, limit int64) *shape {
	for _, sh := range s.generations[identity] {
		if !sh.gone(limit) {
			return sh
		}
	}
	return nil
}

// add makes a shape. Its snapshot is of the rows as they are, seen by fence.
func (s *shapes) add(d *definition, fence string) *shape {
	sh := newShape(d, s.newHandle(d.identity), takeSnapshot(d, fence, s.chunkBytes))
	d.table.published = true
	d.table.shapes[sh] = struct{}{}
	s.generations[d.identity] = append(s.generations[d.identity], sh)
	s.handles[sh.handle] = sh
	return sh
}

// newHandle makes a handle that was never used: the definition's hash and the
// time in microseconds.
func (s *shapes) newHandle(identity string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(identity))
	s.lastHandle = max(time.Now().UnixMicro(), s.lastHandle+1)
	return strconv.FormatUint(uint64(h.Sum32()&(1<<27-1)), 10) + "-" + strconv.FormatInt(s.lastHandle, 10)
}

// follow adds a transaction to the logs of the shapes that it concerns. Changes of tables
// that Electric does not follow take no position in it.
func (s *shapes) follow(changes []change, lsn, txid int64) {
	t := transaction{changes: changes, ops: make([]int64, len(changes)), lsn: lsn, id: txid}
	affected := make(map[*table]bool) // whether it was truncated
	op := int64(0)
	for i := range changes {
		c := &changes[i]
		if !c.table.published {
			continue
		}
		t.ops[i] = op
		op += 2 // room for an update that is split in two
		affected[c.table] = affected[c.table] || c.kind == truncated
	}
	if len(affected) > 0 {
		s.seen = lsn
	}
	for table, truncated := range affected {
		if truncated {
			s.rotate(table, lsn)
			continue
		}
		for sh := range table.shapes {
			sh.add(&t, s.chunkBytes)
		}
	}
}

// rotate invalidates all shapes on a table, for fronts that have come to an LSN.
func (s *shapes) rotate(t *table, lsn int64) {
	for sh := range t.shapes {
		sh.goneAt = lsn
		sh.notify()
	}
	clear(t.shapes)
	s.prune()
}

// catchUp ends a lag, and wakes the requests that wait for what it hid.
func (s *shapes) catchUp(l *lag) {
	l.limit = noLag
	for _, generations := range s.generations {
		for _, sh := range generations {
			sh.notify()
		}
	}
	s.prune()
}

// prune forgets the shapes that are gone for every front.
func (s *shapes) prune() {
	oldest := int64(noLag)
	for _, l := range s.lags {
		oldest = min(oldest, l.limit)
	}
	for identity, generations := range s.generations {
		kept := slices.DeleteFunc(generations, func(sh *shape) bool {
			if !sh.gone(oldest) {
				return false
			}
			delete(s.handles, sh.handle)
			return true
		})
		if len(kept) == 0 {
			delete(s.generations, identity)
		} else {
			s.generations[identity] = kept
		}
	}
}
