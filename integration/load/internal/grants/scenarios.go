package grants

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// scenario is one kind of change, many times.
type scenario struct {
	name    string
	changes []change
}

// change is one change, and what it leads to at the client of the person that it
// concerns.
type change struct {
	person int
	write  func(ctx context.Context) error
	met    func(rows map[string]string) bool

	// What the person may receive from before the change on, and may not once it
	// has arrived.
	grants, revokes []string
}

// baseline is the scenario that the others are compared with.
const baseline = "row change"

// writer makes changes of each kind.
type writer struct{ d *deployment }

// scenarios returns all of them. The people and the objects are chosen at random;
// what the first of a pair grants, the second takes away.
func (w writer) scenarios(o *options, mode string) []scenario {
	direct := pick(o.samples, o.clients, o.shared)
	joined := pick(o.samples, o.clients, o.groups)
	return []scenario{
		{baseline, each(pick(o.samples, o.clients, o.own), func(p pair) change { return w.changeRow(p, mode) })},
		{"grant", each(direct, w.grant)},
		{"revocation", each(direct, w.revoke)},
		{fmt.Sprintf("group join, %d rows", documentsPerGroup), each(joined, w.join)},
		{fmt.Sprintf("group leave, %d rows", documentsPerGroup), each(joined, w.leave)},
	}
}

// pair is a person, and something of theirs or to be theirs.
type pair struct{ person, thing int }

// pick chooses n pairs, no two of which are the same.
func pick(n, people, things int) []pair {
	taken := make(map[pair]bool, n)
	pairs := make([]pair, 0, n)
	for len(pairs) < n {
		p := pair{rand.IntN(people), rand.IntN(things)} //nolint:gosec // it guards nothing
		if !taken[p] {
			taken[p] = true
			pairs = append(pairs, p)
		}
	}
	return pairs
}

func each(pairs []pair, of func(pair) change) []change {
	changes := make([]change, len(pairs))
	for i, p := range pairs {
		changes[i] = of(p)
	}
	return changes
}

func (w writer) changeRow(p pair, mode string) change {
	id := world.Document(world.Own, p.person, p.thing)
	title := fmt.Sprintf("changed %s", mode)
	return change{
		person: p.person,
		write: func(ctx context.Context) error {
			_, err := w.d.rows.Exec(ctx, world.ChangeTitle(id, title))
			return err
		},
		met: func(rows map[string]string) bool { return rows[id] == title },
	}
}

func (w writer) grant(p pair) change {
	id := world.Document(world.Granted, 0, p.thing)
	return change{
		person: p.person,
		write:  func(ctx context.Context) error { return w.d.grants.Touch(ctx, world.Viewer(id, p.person)) },
		met:    holdsAll([]string{id}),
		grants: []string{id},
	}
}

func (w writer) revoke(p pair) change {
	id := world.Document(world.Granted, 0, p.thing)
	return change{
		person:  p.person,
		write:   func(ctx context.Context) error { return w.d.grants.Delete(ctx, world.Viewer(id, p.person)) },
		met:     holdsNone([]string{id}),
		revokes: []string{id},
	}
}

func (w writer) join(p pair) change {
	ids := world.Documents(world.Grouped, p.thing, documentsPerGroup)
	return change{
		person: p.person,
		write:  func(ctx context.Context) error { return w.d.grants.Touch(ctx, member(p.thing, p.person)) },
		met:    holdsAll(ids),
		grants: ids,
	}
}

func (w writer) leave(p pair) change {
	ids := world.Documents(world.Grouped, p.thing, documentsPerGroup)
	return change{
		person:  p.person,
		write:   func(ctx context.Context) error { return w.d.grants.Delete(ctx, member(p.thing, p.person)) },
		met:     holdsNone(ids),
		revokes: ids,
	}
}

func holdsAll(ids []string) func(map[string]string) bool {
	return func(rows map[string]string) bool {
		for _, id := range ids {
			if _, ok := rows[id]; !ok {
				return false
			}
		}
		return true
	}
}

func holdsNone(ids []string) func(map[string]string) bool {
	return func(rows map[string]string) bool {
		for _, id := range ids {
			if _, ok := rows[id]; ok {
				return false
			}
		}
		return true
	}
}
