package rowfilter_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// front is one replica of the proxy: package cursor and package rowfilter, used as package
// proxy uses them. It knows nothing of a client but the handle that it comes with.
type front struct {
	w    *world
	seen int // so much of the log its feed has
	full bool

	had    map[loss]bool // what the last decision granted, at no time
	losses []loss        // what a decision did not grant any more

	rule   *rowfilter.Rule
	ghosts map[string]*ghost // shared by all replicas; only the checks ask it
	stats  *stats
}

type stats struct{ answers, refetches, resyncs, asked, acknowledged, collapsed int }

// ghost is what the checks know of a handle: when the grants that it names were decided,
// and from where on its log counts as written since.
type ghost struct {
	points []int
	start  int    // when the first handle was made
	now    uint64 // what has a higher LSN counts as written since start; 0: nothing does
}

var (
	sealKey = cursor.NewKey([]byte("the secret of the model"))
	scope   = cursor.Scope{Shape: "t", Subject: "user:alice"}
)

// part is what a read of the log gives.
type part struct {
	messages []entry
	end      electric.Offset
	lastSeen uint64
	upToDate bool
}

func (f *front) advance() {
	if f.seen < f.w.sent && f.w.chance(60) {
		f.seen += 1 + f.w.rng.IntN(f.w.sent-f.seen)
		for f.seen < len(f.w.log) && !f.w.log[f.seen-1].ends {
			f.seen++
		}
	}
}

func (f *front) read(after electric.Offset) part {
	if f.w.chance(30) {
		f.advance()
	}
	p := part{end: after, upToDate: true, lastSeen: f.lastSeen()}
	for _, e := range f.w.log[:f.seen] {
		if e.offset.Compare(after) <= 0 {
			continue
		}
		p.messages = append(p.messages, e)
		p.end = e.offset
	}
	if len(p.messages) > 1 && f.w.chance(f.w.stops) {
		p.messages = p.messages[:1+f.w.rng.IntN(len(p.messages)-1)]
		p.end, p.upToDate = p.messages[len(p.messages)-1].offset, false
	}
	return p
}

// lastSeen is how far the feed has come with the database.
func (f *front) lastSeen() uint64 {
	if f.seen == len(f.w.log) && f.w.sent == len(f.w.log) {
		return f.w.lsn
	}
	if f.seen == 0 {
		return 0
	}
	return f.w.log[f.seen-1].offset.LSN()
}

// exchange is one request and its answer.
type exchange struct {
	f      *front
	w      *world
	cursor cursor.Cursor
	handle string
	ghost  *ghost
	offset electric.Offset

	permitted authz.Grants // as last decided

	// less was permitted at some time than the answer's handle names. The answer is cut, or
	// the stream ends without up-to-date, and the client asks again. Another replica has
	// not heard of a loss that came and went by way of a group: to it nothing is missing.
	narrowed bool
}

func (f *front) open(handle string, offset electric.Offset) (*exchange, error) {
	c, err := sealKey.Open(handle, scope)
	if err != nil {
		panic(err)
	}
	f.stats.answers++
	x := &exchange{f: f, w: f.w, cursor: c, handle: handle, ghost: f.ghosts[handle], offset: offset}
	if len(c.Pending) > 0 {
		next, changed := c.Acknowledge(offset)
		if changed && len(next.Pending) == 0 {
			f.stats.acknowledged++
		}
		x.become(next, changed)
		return x, nil
	}
	x.become(c.Acknowledge(offset))
	return x, nil
}

func (x *exchange) become(c cursor.Cursor, changed bool) {
	if changed {
		x.cursor, x.handle = c, ""
	}
}

func (x *exchange) seal() string {
	if x.handle == "" {
		x.handle = sealKey.Seal(&x.cursor, scope)
		x.f.ghosts[x.handle] = x.ghost
	}
	return x.handle
}

// decided notes for the checks that the handle names a decision.
func (x *exchange) decided() {
	g := *x.ghost
	g.points = append(slices.Clone(g.points), x.w.tick)
	x.ghost = &g
}

func (x *exchange) decide() authz.Decision {
	x.w.tick++
	d := x.f.decide()
	x.permitted = d.Grants
	return d
}

// decide is what the replica's grant cache says. What it does not grant any more it notes
// as lost, however that went.
func (f *front) decide() authz.Decision {
	d := f.w.decide()
	has := make(map[loss]bool)
	for i := range f.w.filters {
		for id := range d.Grants.Set(i).All() {
			has[loss{filter: i, id: id}] = true
		}
	}
	for l := range f.had {
		if !has[l] {
			f.losses = append(f.losses, loss{f.w.tick, l.filter, l.id})
		}
	}
	f.had = has
	return d
}

// interrupted is what the replica heard being taken away since a moment: by the watch, one
// object at a time, or by its own decisions.
func (x *exchange) interrupted(since time.Time) authz.Grants {
	return x.w.lostSince(since, slices.Concat(x.w.losses, x.f.losses))
}

func (x *exchange) isServed(d authz.Decision) bool {
	c := &x.cursor
	if len(c.Pending) > 0 || c.Served.Fingerprint != d.Fingerprint {
		return false
	}
	lost := x.interrupted(c.At.Time)
	return lost.IsEmpty() || lost.And(d.Grants).IsEmpty()
}

func (x *exchange) recallAll(names []cursor.Grants) []authz.Grants {
	all := make([]authz.Grants, len(names))
	for i, n := range names {
		g, ok := x.w.decided[n.Fingerprint]
		if !ok {
			panic("a fingerprint that was never decided")
		}
		all[i] = g
	}
	return all
}

func (x *exchange) filter(d authz.Decision, permitted authz.Grants) *rowfilter.Filter {
	c := &x.cursor
	lost := x.interrupted(c.At.Time)
	if len(c.Steps) == 0 && len(c.Pending) == 0 && c.Served.Fingerprint == d.Fingerprint && lost.And(d.Grants).IsEmpty() {
		return rowfilter.Steady(x.f.rule, permitted)
	}
	all := x.recallAll(c.MayHold())
	return rowfilter.New(x.f.rule, permitted, all[0], all[1:], x.steps(all[0])).Interrupted(lost)
}

func (x *exchange) steps(served authz.Grants) []rowfilter.Step {
	named := x.cursor.Steps
	steps := make([]rowfilter.Step, len(named))
	after := served
	for i := len(named) - 1; i >= 0; i-- {
		held := x.recallAll(named[i].Before)
		steps[i] = rowfilter.Step{Fence: named[i].Fence, Held: held}
		var before authz.Grants
		if len(held) > 0 {
			before = held[0]
		}
		if !named[i].Fresh {
			steps[i].Kept = before.And(after).Minus(x.w.grantsOf(named[i].Interrupted))
		}
		after = before
	}
	return steps
}

func (w *world) grantsOf(ids [][]string) authz.Grants {
	sets := make([]*authz.GrantSet, len(ids))
	for i, of := range ids {
		sets[i] = authz.NewGrantSet(w.ids[i], slices.Values(of))
	}
	return authz.GrantsOf(sets...)
}

func (w *world) idsOf(g authz.Grants, most int) [][]string {
	ids := make([][]string, len(w.filters))
	n := 0
	for i := range ids {
		if n += g.Set(i).Len(); n > most {
			return nil
		}
		ids[i] = slices.Collect(g.Set(i).All())
	}
	if n == 0 {
		return nil
	}
	return ids
}

// guard is the grants of an answer, as they are while it is written.
func (x *exchange) guard(d authz.Decision) authz.Grants {
	x.w.tick++
	now := x.f.decide().Grants
	x.permitted = d.Grants.And(now).Minus(x.interrupted(d.At.Time))
	x.narrowed = x.narrowed || !x.permitted.Equal(d.Grants.Minus(x.w.lostSince(d.At.Time, x.w.losses)))
	return x.permitted
}

// resync is as in package proxy.
type resync struct {
	x    *exchange
	d    authz.Decision
	diff rowfilter.Resync
	rows []*version
	asks bool
	of   cursor.Resync
}

func (x *exchange) newResync(d authz.Decision) *resync {
	x.f.stats.resyncs++
	held := x.recallAll(x.cursor.MayHold())
	r := &resync{x: x, d: d, diff: rowfilter.NewResync(x.f.rule, d.Grants, held[0], held[1:], x.interrupted(x.cursor.At.Time))}
	r.of = cursor.Resync{To: cursor.Named(d), At: d.At, ByKey: x.f.rule.ByKey()}
	kept, before := r.diff.Kept, held[0]
	if x.cursor.MustCollapse() {
		steps := x.steps(held[0])
		r.of.Collapses = true
		x.f.stats.collapsed++
		for _, s := range steps {
			kept = kept.And(s.Kept)
		}
		if len(steps[0].Held) > 0 {
			before = steps[0].Held[0]
		} else {
			kept = authz.Grants{}
		}
		r.diff = r.diff.Keeping(kept)
	}
	interrupted := before.And(d.Grants).Minus(kept)
	r.of.Interrupted = x.w.idsOf(interrupted, cursor.MaxInterrupted)
	if r.of.Interrupted == nil && !interrupted.IsEmpty() || kept.IsEmpty() && r.of.Collapses {
		r.of.Fresh, r.of.Interrupted = true, nil
		r.diff = r.diff.Keeping(authz.Grants{})
	}
	x.w.churn()
	if asked := r.diff.Ask(); !asked.IsEmpty() {
		rows, fence := x.w.snapshot()
		r.asks, r.of.Fence = true, fence
		for _, v := range rows {
			if x.f.reaches(asked, v) {
				r.rows = append(r.rows, v)
			}
		}
		x.w.note("snapshot for a resync, xmax %d xip %v lsn %d", fence.XMax(), fence.XIP(), fence.LSN())
	}
	x.w.churn()
	x.guard(d)
	return r
}

func (f *front) reaches(g authz.Grants, v *version) bool {
	m, err := electric.ParseMessage(snapshotRow(v))
	if err != nil {
		panic(err)
	}
	ok, err := f.rule.Permits(g, m.Column)
	if err != nil {
		panic(err)
	}
	return ok
}

func (r *resync) write(send func([]byte)) {
	for _, id := range r.diff.Gone() {
		send(r.diff.DeleteOf(nil, id))
	}
	for _, v := range r.rows {
		if r.x.w.chance(20) {
			r.x.w.churn()
			r.x.guard(r.d)
		}
		m, _ := electric.ParseMessage(snapshotRow(v))
		out, err := r.diff.Row(nil, &m, r.x.permitted)
		if err != nil {
			panic(err)
		}
		if len(out) > 0 {
			send(out)
		}
	}
}

// logPart is as in package proxy.
type logPart struct {
	x      *exchange
	d      authz.Decision
	filter *rowfilter.Filter
	asked  map[string][]byte
}

func (l *logPart) write(p part, send func([]byte)) {
	x := l.x
	l.asked = make(map[string][]byte)
	for _, e := range p.messages {
		if x.w.chance(10) {
			x.w.churn()
			l.filter = l.filter.Narrowed(x.guard(l.d))
		}
		raw := e.partial
		if x.f.full {
			raw = e.full
		}
		m, err := electric.ParseMessage(raw)
		if err != nil {
			panic(err)
		}
		out, fate, err := l.filter.Append(nil, &m)
		switch {
		case err != nil:
			panic(err)
		case fate == rowfilter.AskAgain:
			l.asked[string(m.Key())] = bytes.Clone(raw)
		case fate != rowfilter.Nothing:
			send(out)
		}
	}
}

func (l *logPart) askAgain(send func([]byte)) {
	x := l.x
	if len(l.asked) == 0 {
		return
	}
	x.f.stats.asked++
	x.w.churn()
	rows, _ := x.w.snapshot()
	x.w.churn()
	l.filter = l.filter.Narrowed(x.guard(l.d))
	present := func(row, late *electric.Message) {
		out, err := l.filter.Present(nil, row, late)
		if err != nil {
			panic(err)
		}
		if len(out) > 0 {
			send(out)
		}
	}
	for _, v := range rows {
		m, _ := electric.ParseMessage(snapshotRow(v))
		if _, ok := l.asked[string(m.Key())]; ok {
			delete(l.asked, string(m.Key()))
			present(&m, nil)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.asked)) {
		m, _ := electric.ParseMessage(l.asked[key])
		present(nil, &m)
	}
}

func (r *resync) writeAll(p part, send func([]byte)) {
	filter := r.x.filter(r.d, r.d.Grants).Narrowed(r.x.permitted)
	l := &logPart{x: r.x, d: r.d, filter: filter}
	l.write(p, send)
	r.write(send)
	l.filter = rowfilter.Steady(r.x.f.rule, r.d.Grants).Narrowed(r.x.permitted)
	l.askAgain(send)
}

// answer is what a client is sent as one JSON array.
type answer struct {
	refetch  bool
	handle   string
	offset   electric.Offset
	messages [][]byte
	lastSeen uint64
	upToDate bool
	quiet    bool // nothing was left to bring
	broken   bool // it was cut
}

// initial is serveInitial.
func (f *front) initial() answer {
	x := f.first()
	at := f.position()
	x.w.churn()
	d := x.decide()
	x.w.churn()
	rows, fence := x.w.snapshot()
	x.w.note("first read at %s, xmax %d xip %v lsn %d", at, fence.XMax(), fence.XIP(), fence.LSN())
	x.ghost = &ghost{points: []int{x.at(d)}}
	x.w.churn()
	x.guard(d)
	x.become(cursor.FirstRead("electric-1", at, d, fence), true)
	a := answer{handle: x.seal(), offset: at, upToDate: true, lastSeen: at.LSN()}
	x.writeRows(rows, d, nil, func(m []byte) { a.messages = append(a.messages, m) })
	a.broken = x.narrowed
	return a
}

func (x *exchange) at(d authz.Decision) int { return int(d.At.Time.UnixMilli() - 1_700_000_000_000) }

func (f *front) first() *exchange {
	f.stats.answers++
	return &exchange{f: f, w: f.w}
}

// position is where the feed ends.
func (f *front) position() electric.Offset {
	f.advance()
	if f.seen == 0 {
		return electric.Start
	}
	return f.w.log[f.seen-1].offset
}

func (x *exchange) writeRows(rows []*version, d authz.Decision, only map[string]bool, send func([]byte)) {
	for _, v := range rows {
		if only != nil && !only[v.id] {
			continue
		}
		if !x.f.reaches(d.Grants, v) {
			continue // the query asked for no others
		}
		if x.w.chance(20) {
			x.w.churn()
			x.guard(d)
		}
		if x.f.reaches(x.permitted, v) {
			x.send(snapshotRow(v), send)
		}
	}
}

// onlyNow is servePosition.
func (f *front) onlyNow() answer {
	x := f.first()
	x.w.churn()
	d := x.decide()
	x.w.churn()
	at := electric.Start // as Electric itself says
	if x.w.sent > 0 {
		at = x.w.log[x.w.sent-1].offset
	}
	x.ghost = &ghost{points: []int{x.at(d)}, start: x.w.tick, now: at.LSN() + 1}
	x.become(cursor.Now("electric-1", at, d), true)
	return answer{handle: x.seal(), offset: at, upToDate: true, lastSeen: at.LSN()}
}

// catchUp is serveCatchUp. A long-poll answers with the same, once there is something.
func (f *front) catchUp(handle string, offset electric.Offset) answer {
	x, err := f.open(handle, offset)
	if err != nil {
		return answer{refetch: true}
	}
	p := f.read(x.cursor.Resume(offset))
	x.w.churn()
	d := x.decide()
	x.w.note("catch-up from %s to %s, up to date %v, served %v, %d pending, %d steps", offset, p.end, p.upToDate, x.isServed(d), len(x.cursor.Pending), len(x.cursor.Steps))
	a := answer{offset: p.end, upToDate: p.upToDate, lastSeen: p.lastSeen}
	send := func(m []byte) { x.send(m, func(m []byte) { a.messages = append(a.messages, m) }) }
	switch {
	case x.isServed(d):
		l := &logPart{x: x, d: d, filter: x.filter(d, d.Grants)}
		x.passed(p)
		a.quiet = p.upToDate && len(x.cursor.Steps) == 0
		a.handle = x.seal()
		l.write(p, send)
		l.askAgain(send)
	case !p.upToDate:
		l := &logPart{x: x, d: d, filter: x.filter(d, d.Grants)}
		if next, ok := x.cursor.Onward(d); !ok {
			f.stats.refetches++
			return answer{refetch: true}
		} else {
			x.become(next, true)
		}
		x.decided()
		a.handle = x.seal()
		l.write(p, send)
		l.askAgain(send)
	default:
		r := x.newResync(d)
		next, ok := x.cursor.Resynced(r.of)
		if !ok {
			f.stats.refetches++
			return answer{refetch: true}
		}
		was := x.cursor
		x.ghost = &ghost{points: append(slices.Clone(x.ghost.points), x.at(d)), start: x.ghost.start, now: x.ghost.now}
		x.become(next, true)
		x.passed(p)
		a.handle = x.seal()
		x.cursor = was // the filter is of the cursor that the client has
		r.writeAll(p, send)
	}
	a.broken = x.narrowed
	return a
}

func (x *exchange) passed(p part) {
	if !p.upToDate || len(x.cursor.Steps) == 0 {
		return
	}
	next := x.cursor.Pass(p.end, p.lastSeen, x.w.now())
	x.become(next, len(next.Steps) < len(x.cursor.Steps))
}

// subset is serveSubset. only are the ids that the client asks for; nil: all.
func (f *front) subset(handle string, offset electric.Offset, only map[string]bool) (a answer, fence electric.Fence) {
	x := f.first()
	d := x.decide()
	if handle != "" {
		x, _ = f.open(handle, offset)
		x.permitted = d.Grants
		d.Grants = x.recallAll([]cursor.Grants{x.cursor.Surely()})[0].And(d.Grants)
	}
	at := electric.Start
	if x.w.sent > 0 {
		at = x.w.log[x.w.sent-1].offset
	}
	x.w.churn()
	rows, fence := x.w.snapshot()
	x.w.note("subset of %v, xmax %d xip %v lsn %d", only, fence.XMax(), fence.XIP(), fence.LSN())
	x.w.churn()
	x.guard(d)
	a = answer{handle: handle, offset: offset}
	if handle == "" {
		x.ghost = &ghost{points: []int{x.at(d)}}
		x.become(cursor.FirstRead("electric-1", at, d, fence), true)
		a.handle, a.offset = x.seal(), at
	}
	x.writeRows(rows, d, only, func(m []byte) { a.messages = append(a.messages, m) })
	a.broken = x.narrowed
	return a, fence
}

// reader is where a stream goes: it may be gone at any message.
type reader interface {
	headers(handle string, offset electric.Offset)
	event(message []byte)
	upToDate(lsn uint64)
}

// stream is serveEvents.
func (f *front) stream(handle string, offset electric.Offset, to reader) (refetch bool) {
	x, err := f.open(handle, offset)
	if err != nil {
		return true
	}
	p := f.read(x.cursor.Resume(offset))
	x.w.churn()
	d := x.decide()
	served := x.isServed(d)
	x.w.note("stream from %s to %s, up to date %v, served %v, %d pending, %d steps", offset, p.end, p.upToDate, served, len(x.cursor.Pending), len(x.cursor.Steps))
	s := &stream{x: x, to: to, at: p.end, resume: x.cursor.Resume(offset).LSN()}
	if served || !p.upToDate {
		filter := x.filter(d, d.Grants)
		if offset.Unmarked() != offset {
			x.become(x.cursor, true)
		}
		if !served {
			next, ok := x.cursor.Onward(d)
			if !ok {
				f.stats.refetches++
				return true
			}
			x.become(next, true)
			x.decided()
		}
		to.headers(x.seal(), offset.Unmarked())
		s.writePart(p, d, filter)
	} else {
		r := x.newResync(d)
		r.of.Mark = electric.Marked(p.end.LSN())
		offered, ok := x.cursor.Offered(r.of)
		if !ok {
			f.stats.refetches++
			return true
		}
		was := x.cursor
		resynced, _ := x.cursor.Resynced(r.of)
		x.ghost = &ghost{points: append(slices.Clone(x.ghost.points), x.at(d)), start: x.ghost.start, now: x.ghost.now}
		x.become(offered, true)
		to.headers(x.seal(), offset.Unmarked())
		x.cursor = was
		r.writeAll(p, s.event)
		if s.at, s.mark = p.end, r.of.Mark; x.narrowed {
			return false
		}
		s.upToDate()
		x.cursor, served = resynced, true
	}
	for range x.w.rng.IntN(6) {
		if !served || x.narrowed {
			break
		}
		x.w.churn()
		d = x.decide()
		if !x.isServed(d) {
			break
		}
		p := f.read(s.at)
		if x.w.chance(50) {
			x.w.churn()
			if d = x.decide(); !x.isServed(d) {
				break
			}
		}
		s.writePart(p, d, x.filter(d, d.Grants))
	}
	if !x.narrowed && (s.pending || s.at.LSN() > s.resume) {
		s.upToDate()
	}
	return false
}

type stream struct {
	x       *exchange
	to      reader
	at      electric.Offset
	resume  uint64
	mark    uint64
	pending bool
}

func (s *stream) event(m []byte) {
	s.pending = true
	s.x.send(m, s.to.event)
}

func (s *stream) writePart(p part, d authz.Decision, filter *rowfilter.Filter) {
	l := &logPart{x: s.x, d: d, filter: filter}
	l.write(p, s.event)
	l.askAgain(s.event)
	s.at = p.end
	if s.pending && p.upToDate && !s.x.narrowed {
		s.upToDate()
	}
}

func (s *stream) upToDate() {
	lsn := max(s.at.LSN(), s.mark)
	s.to.upToDate(lsn)
	s.resume, s.pending = lsn, false
}

// violation says that something was sent that may not be.
type violation struct{ reason string }

// send checks a message before it goes out.
func (x *exchange) send(message []byte, to func([]byte)) {
	x.w.note("    %s", message)
	m, err := electric.ParseMessage(message)
	if err != nil {
		panic(err)
	}
	for _, of := range []func(string) (electric.Value, error){m.Column, m.OldColumn} {
		title, err := of("title")
		if err != nil {
			panic(err)
		}
		if title.Present {
			x.checkContent(x.w.versions[string(title.Text)])
		}
	}
	for _, id := range rowIDs() {
		if bytes.Contains(message, []byte(strings.Trim(quote(keyOf(id)), `"`))) {
			x.checkKey(id)
		}
	}
	to(message)
}

func (x *exchange) checkContent(v *version) {
	now, ever := false, false
	for f, name := range x.w.filters {
		id := v.column(name)
		now = now || x.permitted.Set(f).Has(id)
		for _, s := range x.w.readable(f, id, x.ghost) {
			until := v.until
			if x.ghost.now > 0 && v.lsn >= x.ghost.now {
				until = max(until, x.ghost.start) // counts as written since
			}
			ever = ever || v.from <= s.until && s.from <= until
		}
	}
	switch {
	case !now:
		panic(violation{fmt.Sprintf("%s is sent, which is not granted", v.json())})
	case !ever:
		panic(violation{fmt.Sprintf("%s is sent, which was never granted while it was so", v.json())})
	}
}

// readable returns when an id was granted. A time without it, at both ends of which it was
// given and taken by way of a group, does not count, unless the handle names a decision
// from that time.
func (w *world) readable(filter int, id string, g *ghost) (all []span) {
	for _, s := range w.history[filter][id] {
		if n := len(all); n > 0 && !w.isLoss(filter, id, all[n-1].until) &&
			!slices.ContainsFunc(g.points, func(at int) bool { return all[n-1].until <= at && at < s.from }) {
			all[n-1].until = s.until
			continue
		}
		all = append(all, s)
	}
	return all
}

func (w *world) isLoss(filter int, id string, at int) bool {
	return slices.Contains(w.losses, loss{at, filter, id})
}

// checkKey checks that a grant has ever reached the row.
func (x *exchange) checkKey(id string) {
	for f, name := range x.w.filters {
		if name == "id" && len(x.w.history[f][id]) > 0 {
			return // the id itself was granted
		}
	}
	for _, v := range x.w.versions {
		for f, name := range x.w.filters {
			if v.id == id && v.from != forever && len(x.w.history[f][v.column(name)]) > 0 {
				return
			}
		}
	}
	panic(violation{"the key of " + id + " is named, which no grant has reached"})
}
