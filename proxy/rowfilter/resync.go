package rowfilter

import (
	"encoding/json"
	"slices"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// Resync is what brings a reader from the grants that it was served to those of today:
// ids whose rows go, then ids whose rows come.
type Resync struct {
	rule *Rule
	now  authz.Grants

	// Lost are the ids that the reader may hold rows of and does not have any more. Kept
	// are those that it had all the time, and Gained those whose rows it has to be given:
	// what is granted today and not kept.
	Lost, Kept, Gained authz.Grants
}

// NewResync compares grants. served are those that the reader surely was served, pending
// those of resyncs that it may have, interrupted were taken away for a while.
//
// What a pending resync took away, or was interrupted, is not kept, though it was served
// and is granted today: the reader may have dropped its rows, and what was written
// meanwhile was not for it.
func NewResync(rule *Rule, now, served authz.Grants, pending []authz.Grants, interrupted authz.Grants) Resync {
	r := Resync{rule: rule, now: now}
	mayHold, kept := served, served
	for _, g := range pending {
		mayHold, kept = mayHold.Or(g), kept.And(g)
	}
	r.Lost = mayHold.Minus(now)
	return r.Keeping(kept.And(now).Minus(interrupted))
}

// Keeping returns the resync with other ids that were kept: none that were not kept
// before. The rows of all others come.
func (r Resync) Keeping(kept authz.Grants) Resync {
	r.Kept, r.Gained = kept, r.now.Minus(kept)
	return r
}

// IsEmpty reports whether no row goes or comes.
func (r *Resync) IsEmpty() bool { return r.Lost.IsEmpty() && r.Gained.IsEmpty() }

// Gone returns the ids whose rows go and that are keys, so that the deletes need no
// request. Where any filter compares another column, there are none: which rows an id
// stands for has to be asked.
func (r *Resync) Gone() []string {
	if !r.rule.ByKey() {
		return nil
	}
	var gone []string
	for i := range r.rule.Filters {
		for id := range r.Lost.Set(i).All() {
			if !r.permits(id) {
				gone = append(gone, id)
			}
		}
	}
	slices.Sort(gone)
	return slices.Compact(gone)
}

// permits reports whether any filter still reaches the row with an id as its key.
func (r *Resync) permits(id string) bool {
	for i := range r.rule.Filters {
		if r.now.Set(i).Has(id) {
			return true
		}
	}
	return false
}

// Ask returns the ids whose rows have to be asked for, by filter.
func (r *Resync) Ask() authz.Grants {
	if r.rule.ByKey() {
		return r.Gained
	}
	return r.Gained.Or(r.Lost)
}

// Row appends to dst what the reader is sent of a row that was asked for, as it is now:
// the row, if it is permitted; a delete with its key alone, if the reader may hold it.
// permitted are the grants of today, as far as the resync knows them.
func (r *Resync) Row(dst []byte, m *electric.Message, permitted authz.Grants) ([]byte, error) {
	if ok, err := r.rule.Permits(permitted, m.Column); err != nil || ok {
		return append(dst, m.Raw...), err
	}
	lost, err := r.rule.Permits(r.Lost, m.Column)
	if err != nil || !lost {
		return dst, err
	}
	return m.AppendEnd(dst, r.rule.Key), nil
}

// DeleteOf appends a delete of the row with an id as its key to dst.
func (r *Resync) DeleteOf(dst []byte, id string) []byte {
	message, err := json.Marshal(map[string]any{
		"key":   electric.RowKey(r.rule.Schema, r.rule.Table, []*string{&id}),
		"value": map[string]string{r.rule.Key[0]: id},
		"headers": map[string]any{
			"operation": "delete",
			"relation":  []string{r.rule.Schema, r.rule.Table},
		},
	})
	if err != nil {
		panic(err) // strings alone
	}
	return append(dst, message...)
}
