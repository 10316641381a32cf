package readers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/load/internal/lean"
	"github.com/shapegate/shapegate/integration/load/internal/quantile"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// wide is people who hold many objects: by turns one of whom shapegate is asked, and one of
// whom SpiceDB itself is.
type wide struct {
	objects int
	reads   int // of shapegate
	first   int // of the people
}

// after is who comes behind them.
func (v *wide) after() int { return v.first + 2*v.reads }

// measure measures the first read of a collection, and the same again, when the grants are
// known. Between them SpiceDB itself is asked for as much.
func (v *wide) measure(ctx context.Context, s *site, r *report) error {
	var first, again, lookup []time.Duration
	size := 0
	for n := range v.reads {
		reader, err := v.reader(ctx, s, v.first+2*n)
		if err != nil {
			return err
		}
		one, err := timeReads(reader, &first, &again)
		if err := errors.Join(err, reader.conn.Close()); err != nil {
			return err
		}
		size = one
		took, err := v.lookups(ctx, s, v.first+2*n+1)
		if err != nil {
			return err
		}
		lookup = append(lookup, took)
	}
	base := quantile.Of(lookup).P50
	name := fmt.Sprintf("%d objects, %.1f MB: ", v.objects, float64(size)/1e6)
	for _, f := range []struct {
		what string
		took []time.Duration
	}{{"a first read, p50", first}, {"again, p50", again}} {
		took := quantile.Of(f.took).P50
		r.add(figure{name: name + f.what, got: milliseconds(took), base: "LookupResources " + milliseconds(base), ratio: ratio(took, base)})
	}
	return nil
}

func (v *wide) reader(ctx context.Context, s *site, person int) (*reader, error) {
	headers, err := s.people.headersOf(person)
	if err != nil {
		return nil, err
	}
	base := s.collection("actions", world.Checked.Actions).base
	r, err := newReader(ctx, base, person, false)
	if err != nil {
		return nil, err
	}
	r.request, r.changes = lean.Request(http.MethodGet, base, fromStart, "", headers...), v.objects
	return r, nil
}

// timeReads reads twice, and returns how many bytes there were.
func timeReads(r *reader, first, again *[]time.Duration) (size int, err error) {
	for _, took := range []*[]time.Duration{first, again} {
		began := time.Now()
		if err := r.read(); err != nil {
			return 0, err
		}
		*took = append(*took, r.answer.At.Sub(began))
		size = len(r.answer.Body)
	}
	return size, nil
}

// lookups asks SpiceDB for what a first read needs, at once as shapegate does.
func (v *wide) lookups(ctx context.Context, s *site, person int) (time.Duration, error) {
	began := time.Now()
	group, asking := errgroup.WithContext(ctx)
	for permission, want := range map[string]int{"view": v.objects, "edit": (v.objects + 1) / 2} {
		group.Go(func() error {
			found := 0
			_, err := s.stores.relationships.Client.LookupResources(asking, authz.Lookup{
				Subject: authz.ObjectRef{Type: "user", ID: world.Person(person)}, ResourceType: "document", Permission: permission,
			}, func(string) { found++ })
			if err == nil && found != want {
				err = fmt.Errorf("%d ids of %s instead of %d", found, permission, want)
			}
			return err
		})
	}
	err := group.Wait()
	return time.Since(began), err
}
