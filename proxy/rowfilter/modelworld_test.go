package rowfilter_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// world is what the model's proxy reads: a table, the log of its transactions, and the
// grants of one subject. Its clock ticks with each thing that happens.
type world struct {
	rng     *rand.Rand
	tick    int
	filters []string // the column of each filter

	lsn      uint64
	xid      uint64
	running  []*tx
	table    map[string]*version // what is committed, by id
	versions map[string]*version // all that there ever was, by title
	log      []entry
	sent     int // so much of the log Electric has

	direct, group []map[string]bool // by filter: ids that are granted
	history       []map[string][]span
	losses        []loss
	ids           []*authz.IDs
	decided       map[authz.Fingerprint]authz.Grants

	still bool // nothing happens

	// How often each thing happens, and how often a read stops before the log's end or an
	// answer is lost. No two worlds are alike.
	rates        [6]int // summed up
	stops, loses int    // in percent

	trace []string
}

const forever = 1 << 60

// version is a row as one statement left it. No two versions have the same title.
type version struct {
	id, project, title string
	lsn                uint64
	from, until        int // when it was the row's newest state
}

// tx is a transaction that has begun. It holds a lock on each row that it has written.
type tx struct {
	xid    uint64
	writes []write
	rows   map[string]*version // as they are inside
}

type write struct {
	operation string
	old, new  *version // nil: not there
	change    string   // the other id of a change of the primary key
}

// entry is a message of the log.
type entry struct {
	offset        electric.Offset
	full, partial []byte // with replica=full, and without
	ends          bool   // the last one of its transaction
}

// span is a time in which an id was granted.
type span struct{ from, until int }

// loss is that an id was taken away with the deletion of a relationship of one object.
type loss struct {
	at, filter int
	id         string
}

var fingerprintKey = authz.NewFingerprintKey([]byte("the secret of the model"))

func newWorld(rng *rand.Rand, filters ...string) *world {
	w := &world{rng: rng, filters: filters, lsn: 1000, xid: 700,
		table: make(map[string]*version), versions: make(map[string]*version), decided: make(map[authz.Fingerprint]authz.Grants)}
	sum := 0
	for i, most := range []int{15, 50, 40, 15, 20, 20} {
		sum += 1 + rng.IntN(most)
		w.rates[i] = sum
	}
	w.stops, w.loses = rng.IntN(30), rng.IntN(30)
	for range filters {
		w.direct = append(w.direct, make(map[string]bool))
		w.group = append(w.group, make(map[string]bool))
		w.history = append(w.history, make(map[string][]span))
		w.ids = append(w.ids, authz.NewIDs(fingerprintKey))
	}
	return w
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%4d  ", w.tick)+fmt.Sprintf(format, args...))
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *world) now() time.Time { return time.UnixMilli(1_700_000_000_000 + int64(w.tick)) }

func rowIDs() []string     { return []string{"r0", "r1", "r2", "r3", "r4"} }
func projectIDs() []string { return []string{"a", "b", "c", "x"} }

func pick[T any](w *world, of []T) T { return of[w.rng.IntN(len(of))] }

// churn lets some things happen.
func (w *world) churn() {
	if w.still {
		return
	}
	for range w.rng.IntN(4) {
		w.tick++
		n := w.rng.IntN(w.rates[len(w.rates)-1])
		switch i, _ := slices.BinarySearch(w.rates[:], n+1); i {
		case 0:
			w.begin()
		case 1:
			w.write()
		case 2:
			w.commit()
		case 3:
			w.deliver()
		case 4:
			w.changeOne()
		case 5:
			w.changeGroup()
		}
	}
}

func (w *world) begin() *tx {
	w.xid++
	t := &tx{xid: w.xid, rows: make(map[string]*version)}
	w.running = append(w.running, t)
	return t
}

// write runs one statement in a transaction, if nobody holds a lock on the row.
func (w *world) write() {
	var t *tx
	if len(w.running) > 0 {
		t = pick(w, w.running)
	} else {
		t = w.begin()
	}
	id := pick(w, rowIDs())
	if !w.mayWrite(t, id) {
		return
	}
	old := w.seenBy(t, id)
	made := &version{id: id, project: pick(w, projectIDs()), title: "t" + strconv.Itoa(len(w.versions)), until: forever}
	if old != nil && w.chance(50) {
		made.project = old.project
	}
	switch other := pick(w, rowIDs()); {
	case old == nil:
		w.put(t, write{operation: "insert", new: made})
	case w.chance(20):
		w.put(t, write{operation: "delete", old: old})
	case w.chance(8) && other != id && w.mayWrite(t, other) && w.seenBy(t, other) == nil:
		made.id = other
		w.put(t, write{operation: "delete", old: old, change: other})
		w.put(t, write{operation: "insert", new: made, change: id})
	default:
		w.put(t, write{operation: "update", old: old, new: made})
	}
}

func (w *world) mayWrite(t *tx, id string) bool {
	return !slices.ContainsFunc(w.running, func(other *tx) bool {
		_, locked := other.rows[id]
		return locked && other != t
	})
}

func (w *world) seenBy(t *tx, id string) *version {
	if v, ok := t.rows[id]; ok {
		return v
	}
	return w.table[id]
}

func (w *world) put(t *tx, s write) {
	t.writes = append(t.writes, s)
	if s.new != nil {
		w.versions[s.new.title] = s.new
		s.new.from = forever
		t.rows[s.new.id] = s.new
	} else {
		t.rows[s.old.id] = nil
	}
}

// commit commits any transaction: not in the order of their ids.
func (w *world) commit() {
	if len(w.running) == 0 {
		return
	}
	i := w.rng.IntN(len(w.running))
	t := w.running[i]
	w.running = slices.Delete(w.running, i, i+1)
	w.lsn += 8
	for n, s := range t.writes {
		if s.old != nil {
			s.old.from, s.old.until = min(s.old.from, w.tick), w.tick
		}
		if s.new != nil {
			s.new.lsn, s.new.from, s.new.until = w.lsn, w.tick, forever
		}
		w.log = append(w.log, entryOf(t.xid, w.lsn, 2*n, s))
		w.note("commit %d at %d_%d: %s", t.xid, w.lsn, 2*n, w.log[len(w.log)-1].full)
	}
	if len(t.writes) > 0 {
		w.log[len(w.log)-1].ends = true
	}
	for id, v := range t.rows {
		if v == nil {
			delete(w.table, id)
		} else {
			w.table[id] = v
		}
	}
}

func entryOf(xid, lsn uint64, op int, s write) entry {
	row := s.new
	if row == nil {
		row = s.old
	}
	change := ""
	switch {
	case s.change != "" && s.operation == "insert":
		change = `,"key_change_from":` + quote(keyOf(s.change))
	case s.change != "":
		change = `,"key_change_to":` + quote(keyOf(s.change))
	}
	headers := fmt.Sprintf(`"headers":{"operation":%q,"relation":["public","t"],"lsn":"%d","op_position":%d,"txids":[%d]%s}}`, s.operation, lsn, op, xid, change)
	message := func(value, old string) []byte {
		return []byte(`{"key":` + quote(keyOf(row.id)) + `,"value":` + value + old + `,` + headers)
	}
	e := entry{full: message(row.json(), ""), partial: message(row.json(), "")}
	e.offset, _ = electric.ParseOffset(fmt.Sprintf("%d_%d", lsn, op))
	switch s.operation {
	case "update":
		changed, old := `{"id":"`+row.id+`","title":"`+row.title+`"`, `,"old_value":{"title":"`+s.old.title+`"`
		if s.old.project != row.project {
			changed, old = changed+`,"project":"`+row.project+`"`, old+`,"project":"`+s.old.project+`"`
		}
		e.full, e.partial = message(row.json(), old+"}"), message(changed+"}", "")
	case "delete":
		e.partial = message(`{"id":"`+row.id+`"}`, "")
	}
	return e
}

func keyOf(id string) string { return electric.RowKey("public", "t", []*string{&id}) }

func quote(s string) string { return strconv.Quote(s) }

func (v *version) json() string {
	return fmt.Sprintf(`{"id":%q,"project":%q,"title":%q}`, v.id, v.project, v.title)
}

// deliver lets Electric read some transactions of the log.
func (w *world) deliver() {
	for n := 1 + w.rng.IntN(3); n > 0 && w.sent < len(w.log); w.sent++ {
		if w.log[w.sent].ends {
			n--
		}
	}
}

// changeOne gives or takes one id: a relationship of one object.
func (w *world) changeOne() {
	f, id := w.pickGrant()
	was := w.isGranted(f, id)
	if w.direct[f][id] = !w.direct[f][id]; was && !w.isGranted(f, id) {
		w.losses = append(w.losses, loss{w.tick, f, id})
	}
	w.record()
	w.note("%s %s is granted: %v (one object)", w.filters[f], id, w.isGranted(f, id))
}

// changeGroup gives or takes some ids by way of a group.
func (w *world) changeGroup() {
	for range 1 + w.rng.IntN(2) {
		f, id := w.pickGrant()
		w.group[f][id] = !w.group[f][id]
		w.record()
		w.note("%s %s is granted: %v (group)", w.filters[f], id, w.isGranted(f, id))
	}
}

func (w *world) pickGrant() (filter int, id string) {
	filter = w.rng.IntN(len(w.filters))
	if w.filters[filter] == "id" {
		return filter, pick(w, rowIDs())
	}
	return filter, pick(w, projectIDs()[:3]) // nobody is granted x
}

func (w *world) isGranted(filter int, id string) bool {
	return w.direct[filter][id] || w.group[filter][id]
}

func (w *world) record() {
	for f := range w.filters {
		for _, id := range slices.Concat(rowIDs(), projectIDs()) {
			spans := w.history[f][id]
			open := len(spans) > 0 && spans[len(spans)-1].until == forever
			switch is := w.isGranted(f, id); {
			case is && !open:
				w.history[f][id] = append(spans, span{w.tick, forever})
			case !is && open:
				spans[len(spans)-1].until = w.tick
			}
		}
	}
}

// decide is what SpiceDB says.
func (w *world) decide() authz.Decision {
	sets := make([]*authz.GrantSet, len(w.filters))
	for f := range w.filters {
		sets[f] = authz.NewGrantSet(w.ids[f], func(yield func(string) bool) {
			for _, id := range slices.Concat(rowIDs(), projectIDs()) {
				if w.isGranted(f, id) && !yield(id) {
					return
				}
			}
		})
	}
	g := authz.GrantsOf(sets...)
	d := authz.Decision{Grants: g, Fingerprint: g.Fingerprint(fingerprintKey, "model"), Tokens: make([]authz.ZedToken, len(sets)), At: authz.Moment{Time: w.now()}}
	for i := range d.Tokens {
		d.Tokens[i] = authz.ZedToken(strconv.Itoa(w.tick))
	}
	w.decided[d.Fingerprint] = g
	return d
}

// lostSince returns the ids of the losses since a moment.
func (w *world) lostSince(since time.Time, losses []loss) authz.Grants {
	sets := make([]*authz.GrantSet, len(w.filters))
	for f := range w.filters {
		var ids []string
		for _, l := range losses {
			if l.filter == f && int64(l.at) >= since.UnixMilli()-1_700_000_000_000 {
				ids = append(ids, l.id)
			}
		}
		sets[f] = authz.NewGrantSet(w.ids[f], slices.Values(ids))
	}
	return authz.GrantsOf(sets...)
}

// snapshot returns all rows as they are now, by id.
func (w *world) snapshot() ([]*version, electric.Fence) {
	xmin, xip := w.xid+1, []uint64(nil)
	for _, t := range w.running {
		xmin, xip = min(xmin, t.xid), append(xip, t.xid)
	}
	if w.chance(50) {
		w.lsn += 8 // something that is not published was written
	}
	var rows []*version
	for _, id := range slices.Sorted(maps.Keys(w.table)) {
		rows = append(rows, w.table[id])
	}
	return rows, electric.NewFence(xmin, w.xid+1, xip, w.lsn)
}

func (v *version) column(name string) string {
	if name == "id" {
		return v.id
	}
	return v.project
}

// snapshotRow is a row as a subset has it.
func snapshotRow(v *version) []byte {
	return []byte(`{"key":` + quote(keyOf(v.id)) + `,"value":` + v.json() + `,"headers":{"operation":"insert","relation":["public","t"]}}`)
}
