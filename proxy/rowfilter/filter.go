package rowfilter

import (
	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Filter decides what one reader is sent of a log. It does not change: its methods return
// changed copies.
type Filter struct {
	rule    *Rule
	now     authz.Grants
	history history
	changed bool // now and served may differ
}

// New returns the filter of a reader. now are its grants today; served those that it
// surely was served, and pending those of resyncs that it may have; steps are in the
// order of its cursor, oldest first.
func New(rule *Rule, now, served authz.Grants, pending []authz.Grants, steps []Step) *Filter {
	return &Filter{rule: rule, now: now, history: history{served: served, pending: pending, steps: steps}, changed: true}
}

// Steady returns the filter of a reader that was served its grants of today and nothing
// else: it is the same for everybody with equal grants.
func Steady(rule *Rule, now authz.Grants) *Filter {
	return &Filter{rule: rule, now: now, history: history{served: now}}
}

// Narrowed returns the filter for the time of writing: of the grants that it was made
// with, only those in permitted are permitted by now. A row that stays in what was lost is
// left out: the answer's handle names it, so that the next answer deletes it or, if it was
// given back meanwhile, brings it anew. A row that moves into what was lost is deleted:
// the reader must not keep it as it was before it moved.
func (f *Filter) Narrowed(permitted authz.Grants) *Filter {
	g := *f
	g.now = permitted
	return &g
}

// Interrupted returns the filter of a reader that lost some ids for a while since it was
// served. What was written meanwhile is not sent; a resync brings the
// rows as they are now.
func (f *Filter) Interrupted(ids authz.Grants) *Filter {
	g := *f
	g.history.interrupted, g.changed = ids, true
	return &g
}

// Fate is what becomes of a message.
type Fate uint8

// The fates of a message.
const (
	Nothing      Fate = iota // not sent
	Send                     // sent as it is
	SendAsInsert             // an update brought the row into view: an insert, without old values
	Delete                   // the row left: a delete of the row as it was
	DeleteByKey              // the row left: a delete with the key alone
	AskAgain                 // the present state of the row decides, see Present
)

// Fate returns what becomes of a message. A log of replica=full has a row before and
// after an update; any log has the columns of the primary key, which no update changes.
func (f *Filter) Fate(m *electric.Message) (Fate, error) {
	if m.Operation == electric.Control {
		return Send, nil
	}
	old := m.OldColumn
	switch m.Operation {
	case electric.Insert:
		old = absent
	case electric.Delete:
		old = m.Column
	}
	var room [8]*Step
	seen := f.history.seen(room[:0], m)
	if m.Operation != electric.Delete {
		switch allowed, err := f.allowed(seen, m.Column); {
		case err != nil:
			return Nothing, err
		case allowed:
			return f.sent(m, seen, old)
		}
	}
	switch {
	case m.Operation == electric.Insert:
		return Nothing, nil
	case len(seen) > 0:
		return f.late(seen[0], old)
	}
	switch allowed, err := f.allowed(nil, old); {
	case err != nil:
		return Nothing, err
	case allowed && m.Operation == electric.Delete:
		return Send, nil
	case allowed:
		return Delete, nil
	}
	held, err := f.history.held(f.rule, old)
	if err != nil || !held {
		return Nothing, err
	}
	if m.Operation == electric.Update {
		if held, err = f.history.held(f.rule, m.Column); err != nil || held {
			return Nothing, err // the resync that has to follow deletes the row
		}
	}
	return DeleteByKey, nil
}

// absent is a row that was not there.
func absent(string) (electric.Value, error) { return electric.Value{}, nil }

// sent returns how a message is sent whose row is allowed.
func (f *Filter) sent(m *electric.Message, seen []*Step, old column) (Fate, error) {
	if m.Operation != electric.Update {
		return Send, nil
	}
	before, err := f.allowed(seen, old)
	if err != nil || before {
		return Send, err
	}
	return SendAsInsert, nil
}

// late returns what becomes of a late message whose row is not allowed. oldest is the first
// snapshot that has seen it. If the reader cannot have held the row before that snapshot,
// it has what a snapshot brought, which is at least as new:
//
//   - What was gained by this snapshot or a later one, pending ones included, came after
//     the message: each snapshot has seen all that earlier ones have. So neither what was
//     served nor what is pending is asked here.
//   - What was held before an earlier snapshot was held before this one, or was taken away
//     in between.
//
// Otherwise the row may have gone, or a snapshot may have brought it from elsewhere: it
// was deleted and made anew, or moved from a lost container into a gained one. Even if
// the message says that it moved into a gained one, earlier late messages may have put an
// older state in the place of what the snapshot brought:
//
//	t1  update r project: x -> a     a is kept: sent, as an insert
//	t2  update r project: a -> b     b is gained: the snapshot has brought r, before t1 was sent
//
// So the message takes nothing away by itself: the present state decides.
func (f *Filter) late(oldest *Step, old column) (Fate, error) {
	held, err := f.rule.permitsAny(oldest.Held, old)
	if err != nil || !held {
		return Nothing, err
	}
	return AskAgain, nil
}

// allowed reports whether a row may be sent: an id that reaches it is granted today, was
// served, no pending resync takes it away, it was not interrupted, and it was kept through
// every snapshot that has seen the message. It has to be one id for all of these: a row
// that one id reached until a while ago, and another one from today on, may have been
// written in between.
func (f *Filter) allowed(seen []*Step, of column) (bool, error) {
	if !f.changed {
		return f.rule.Permits(f.now, of)
	}
	if f.now.IsEverything() {
		return f.history.keptEverything(seen), nil
	}
	for i, name := range f.rule.Filters {
		set := f.now.Set(i)
		if set == nil {
			continue
		}
		v, err := of(name)
		if err != nil {
			return false, err
		}
		if v.Present && !v.Null && set.HasBytes(v.Text) && f.history.kept(seen, i, v.Text) {
			return true, nil
		}
	}
	return false, nil
}

// Append appends to dst what the reader is sent of a message, and returns the message's
// fate. Nothing is appended for Nothing and AskAgain.
func (f *Filter) Append(dst []byte, m *electric.Message) ([]byte, Fate, error) {
	fate, err := f.Fate(m)
	if err != nil {
		return dst, Nothing, err
	}
	switch fate {
	case Send:
		if m.KeyChange != nil && !f.mayName(string(m.KeyChange)) {
			return m.AppendWithoutKeyChange(dst), fate, nil
		}
		return append(dst, m.Raw...), fate, nil
	case SendAsInsert:
		return m.AppendAs(dst, electric.Insert), fate, nil
	case Delete:
		return m.AppendAs(dst, electric.Delete), fate, nil
	case DeleteByKey:
		return m.AppendEndAt(dst, f.rule.Key), fate, nil
	default:
		return dst, fate, nil
	}
}

// mayName reports whether the key of another row may be named: the row is permitted
// today and was served.
func (f *Filter) mayName(key string) bool {
	if f.now.IsEverything() {
		return true
	}
	return f.rule.permitsKey(f.now, key) && (!f.changed || f.rule.permitsKey(f.history.served, key))
}

// Present appends to dst what the reader is sent of a row whose message had the fate
// AskAgain. The row is as it is now, as a message that inserts it; nil if it is not
// there. late is the message.
//
// The row is sent if it is permitted today and was served. So the answer's handle has to
// name what was served; behind a resync, the caller asks a Steady filter of its grants.
func (f *Filter) Present(dst []byte, row, late *electric.Message) ([]byte, error) {
	if row == nil {
		return late.AppendEnd(dst, f.rule.Key), nil
	}
	permitted, err := f.rule.Permits(f.now, row.Column)
	if err == nil && permitted && f.changed {
		permitted, err = f.rule.Permits(f.history.served, row.Column)
	}
	if err != nil {
		return dst, err
	}
	if !permitted {
		return row.AppendEnd(dst, f.rule.Key), nil
	}
	return append(dst, row.Raw...), nil
}
