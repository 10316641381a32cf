package readers

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// changed is what changes of a relationship took.
type changed struct {
	given, taken [][]time.Duration // of each crowd, from when the write was called
	calls        float64           // to SpiceDB, for each write
}

// changes has a relationship written and deleted, some times, each time of another document
// and of a person who is chosen at random. It wakes one client of each crowd.
func (v *permissions) changes(ctx context.Context, s *site, crowds ...*crowd) (changed, error) {
	all := changed{given: make([][]time.Duration, len(crowds)), taken: make([][]time.Duration, len(crowds))}
	var before asks
	for i := range v.samples + 1 {
		if i == 1 { // the first finds everything cold
			var err error
			if before, err = s.asks(ctx); err != nil {
				return all, err
			}
		}
		person := firstHolder + rand.IntN(v.holders) //nolint:gosec // it guards nothing
		id := v.nextDocument(person)
		if err := world.Insert(ctx, s.stores.rows, []world.Row{{ID: id, Title: world.TitleFor(person, id)}}); err != nil {
			return all, err
		}
		for _, half := range []struct {
			write func(context.Context, ...string) error
			took  [][]time.Duration
		}{{s.stores.relationships.Touch, all.given}, {s.stores.relationships.Delete, all.taken}} {
			took, err := arrivals(ctx, person, id, half.write, crowds)
			if err != nil {
				return all, err
			}
			for j := range took {
				if i > 0 {
					half.took[j] = append(half.took[j], took[j]...)
				}
			}
			if err := rest(ctx, betweenChanges); err != nil {
				return all, err
			}
		}
	}
	after, err := s.asks(ctx)
	all.calls = (after.spicedb - before.spicedb) / float64(2*v.samples)
	return all, err
}

// betweenChanges is ample for the person's clients to wait again, and for what shapegate asks
// SpiceDB a tenth of a second later, to be sure. The others need not all wait at one time.
const betweenChanges = 200 * time.Millisecond

// arrivals writes a relationship, and returns how long after that the clients of its person
// had the row.
func arrivals(ctx context.Context, person int, id string, write func(context.Context, ...string) error, crowds []*crowd) ([][]time.Duration, error) {
	rounds := make([]*round, len(crowds))
	for i, c := range crowds {
		rounds[i] = c.expect(person, id)
		defer c.round.Store(nil)
	}
	called := time.Now()
	if err := write(ctx, world.Viewer(id, person)); err != nil {
		return nil, err
	}
	all := make([][]time.Duration, len(crowds))
	for i, c := range crowds {
		var err error
		if all[i], err = c.took(rounds[i], called); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// nextDocument is a document that was granted to nobody before.
func (v *permissions) nextDocument(person int) string {
	v.documents++
	return world.Document(world.Granted, person, v.documents)
}
