package rowfilter

import (
	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Step is a snapshot that the reader was given and that the log may not have passed yet.
type Step struct {
	Fence electric.Fence

	// Kept are the grants that held before the snapshot, after it, and in between.
	Kept authz.Grants

	// Held are the grants whose rows the reader may have held before the snapshot.
	Held []authz.Grants
}

// Filter decides what one reader is sent of a log. It does not change.
type Filter struct {
	rule *Rule

	now     authz.Grants
	served  authz.Grants
	pending []authz.Grants
	steps   []Step
	changed bool // now and served may differ

	permitted authz.Grants // see Narrowed
	narrowed  bool
}

// New returns the filter of a reader. now are its grants today; served those that it
// surely was served, and pending those of resyncs that it may have; steps are in the
// order of its cursor, oldest first.
func New(rule *Rule, now, served authz.Grants, pending []authz.Grants, steps []Step) *Filter {
	return &Filter{rule: rule, now: now, served: served, pending: pending, steps: steps, changed: true}
}

// Steady returns the filter of a reader that was served its grants of today and nothing
// else: it is the same for everybody with equal grants.
func Steady(rule *Rule, now authz.Grants) *Filter {
	return &Filter{rule: rule, now: now, served: now}
}

// Narrowed returns the filter for the time of writing: of what the filter was made with,
// only permitted is permitted by now. A row that is not is left out, and not deleted: the
// answer's handle still names it, so that the next answer deletes it or, if it was given
// back meanwhile, brings it anew. That a row is gone is sent all the same, by its key.
func (f *Filter) Narrowed(permitted authz.Grants) *Filter {
	g := *f
	g.permitted, g.narrowed = permitted, true
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
	fate, err := f.fate(m, old)
	if err != nil || !f.narrowed {
		return fate, err
	}
	return f.narrow(fate, m, old)
}

// narrow returns what is left of a fate at the time of writing.
func (f *Filter) narrow(fate Fate, m *electric.Message, old column) (Fate, error) {
	of, otherwise := m.Column, Nothing
	switch {
	case fate == Delete, fate == Send && m.Operation == electric.Delete:
		of, otherwise = old, DeleteByKey
	case fate != Send && fate != SendAsInsert:
		return fate, nil
	}
	permitted, err := f.rule.Permits(f.permitted, of)
	if err != nil || permitted {
		return fate, err
	}
	return otherwise, nil
}

func (f *Filter) fate(m *electric.Message, old column) (Fate, error) {
	late := f.isLate(m)
	if late {
		ask, err := f.mustAsk(m, old)
		if err != nil || ask {
			return AskAgain, err
		}
	}
	if m.Operation != electric.Delete {
		switch allowed, err := f.allowed(m, m.Column); {
		case err != nil:
			return Nothing, err
		case allowed:
			return f.sent(m, old)
		}
	}
	if late || m.Operation == electric.Insert {
		// A snapshot has told a state that is at least as new; or there was no row before.
		return Nothing, nil
	}
	switch allowed, err := f.allowed(m, old); {
	case err != nil:
		return Nothing, err
	case allowed && m.Operation == electric.Delete:
		return Send, nil
	case allowed:
		return Delete, nil
	}
	held, err := f.held(m, old)
	if err != nil || !held {
		return Nothing, err
	}
	return DeleteByKey, nil
}

// absent is a row that was not there.
func absent(string) (electric.Value, error) { return electric.Value{}, nil }

// sent returns how a message is sent whose row is allowed.
func (f *Filter) sent(m *electric.Message, old column) (Fate, error) {
	if m.Operation != electric.Update {
		return Send, nil
	}
	before, err := f.allowed(m, old)
	if err != nil || before {
		return Send, err
	}
	return SendAsInsert, nil
}

// isLate reports whether any snapshot has seen the message.
func (f *Filter) isLate(m *electric.Message) bool {
	for i := range f.steps {
		if m.SeenBy(&f.steps[i].Fence) {
			return true
		}
	}
	return false
}

// mustAsk reports whether a late message takes away a row that the reader may have held
// before the snapshot. The snapshot may have brought the row again from elsewhere: it was
// deleted and made anew, or moved from a lost container into a gained one. So the message
// takes nothing away by itself.
func (f *Filter) mustAsk(m *electric.Message, old column) (bool, error) {
	if m.Operation == electric.Insert {
		return false, nil
	}
	if m.Operation == electric.Update {
		if permitted, err := f.rule.Permits(f.now, m.Column); err != nil || permitted {
			return false, err
		}
	}
	return f.heldLate(m, old)
}

// allowed reports whether a row may be told: it is permitted today, it was served, and it
// was kept through every snapshot that has seen the message.
func (f *Filter) allowed(m *electric.Message, of column) (bool, error) {
	permitted, err := f.rule.Permits(f.now, of)
	if err != nil || !permitted || !f.changed {
		return permitted, err
	}
	if permitted, err = f.rule.Permits(f.served, of); err != nil || !permitted {
		return false, err
	}
	for i := range f.steps {
		s := &f.steps[i]
		if !m.SeenBy(&s.Fence) {
			continue
		}
		if permitted, err = f.rule.Permits(s.Kept, of); err != nil || !permitted {
			return false, err
		}
	}
	return true, nil
}

// held reports whether the reader may hold a row.
func (f *Filter) held(m *electric.Message, of column) (bool, error) {
	held, err := f.rule.Permits(f.served, of)
	if err != nil || held {
		return held, err
	}
	return f.heldLate(m, of)
}

// heldLate is held for a late message: what was served by a snapshot that has seen the
// message is newer than the message.
func (f *Filter) heldLate(m *electric.Message, of column) (bool, error) {
	held, err := f.anyPermits(f.pending, of)
	for i := range f.steps {
		if err == nil && !held && m.SeenBy(&f.steps[i].Fence) {
			held, err = f.anyPermits(f.steps[i].Held, of)
		}
	}
	return held, err
}

func (f *Filter) anyPermits(all []authz.Grants, of column) (bool, error) {
	for _, g := range all {
		if permitted, err := f.rule.Permits(g, of); err != nil || permitted {
			return permitted, err
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
		return m.AppendEnd(dst, f.rule.Key), fate, nil
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
	return f.rule.permitsKey(f.now, key) &&
		(!f.changed || f.rule.permitsKey(f.served, key)) &&
		(!f.narrowed || f.rule.permitsKey(f.permitted, key))
}

// Present appends to dst what the reader is sent of a row whose message had the fate
// AskAgain. row is the row as it is now, as a message that inserts it, and nil if it is
// not there; late is the message.
func (f *Filter) Present(dst []byte, row, late *electric.Message) ([]byte, error) {
	if row == nil {
		return late.AppendEnd(dst, f.rule.Key), nil
	}
	permitted, err := f.rule.Permits(f.now, row.Column)
	if err != nil {
		return dst, err
	}
	if !permitted {
		return row.AppendEnd(dst, f.rule.Key), nil
	}
	if f.narrowed {
		if permitted, err = f.rule.Permits(f.permitted, row.Column); err != nil || !permitted {
			return dst, err
		}
	}
	return append(dst, row.Raw...), nil
}
