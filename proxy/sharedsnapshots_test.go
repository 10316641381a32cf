package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/proxy/electric"
)

// slowElectric answers each request with an empty snapshot, once it is let.
type slowElectric struct {
	let   chan struct{}
	asked atomic.Int64 // requests that are under way
}

func (e *slowElectric) RoundTrip(r *http.Request) (*http.Response, error) {
	e.asked.Add(1)
	defer e.asked.Add(-1)
	select {
	case <-e.let:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header: http.Header{
			"Electric-Snapshot": {"true"}, "Electric-Handle": {"1"}, "Electric-Offset": {"0_0"}, "Electric-Schema": {"{}"},
		},
		Body:    io.NopCloser(strings.NewReader(`{"metadata":{"xmin":"1","xmax":"1","xip_list":[]},"data":[]}`)),
		Request: r,
	}, nil
}

func planOf(t *testing.T, q electric.Subset) *plan {
	p, err := newPlan(q)
	if err != nil {
		t.Error(err)
	}
	return p
}

// log is where rows come from that it is asked for.
func (e *slowElectric) log(t *testing.T) *logSource {
	t.Helper()
	client, err := electric.NewClient(electric.Config{URL: "http://electric", Transport: e})
	if err != nil {
		t.Fatal(err)
	}
	shared, err := newSharedSnapshots(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shared.Close)
	return &logSource{
		upstream: &upstream{electric: client, shared: shared}, narrowed: true,
		spec: &electric.LogSpec{Schema: "public", Table: "documents"},
	}
}

// Requests that are held have no place among those of their subject. They take one before they
// ask for rows, whether or not they share them, or one subject could fill the line to Electric.
func TestHeldRequestsThatShareRowsKeepToTheirSubjectsPlaces(t *testing.T) {
	limited(t, Limits{Rate: 1e6, Burst: 1e6, Concurrent: 2}, 0, 0, func(t *testing.T, l *limiter) {
		upstream := &slowElectric{let: make(chan struct{})}
		log := upstream.log(t)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var held []*admission
		for range 12 {
			a := admit(t, l, "user:alice")
			if err := a.hold(prometheus.NewGauge(prometheus.GaugeOpts{})); err != nil {
				t.Fatal(err)
			}
			held = append(held, a)
		}
		for i, a := range held { // two ask the same, and the first of them goes away
			ctx, where := ctx, fmt.Sprintf("id = '%d'", i/2)
			if i%2 == 1 {
				ctx = t.Context()
			}
			all.Go(func() {
				defer a.leave()
				s := snapshots{place: a, log: log}
				rows, err := s.ask(ctx, planOf(t, electric.Subset{Where: where}))
				if err == nil {
					rows.Close()
				} else if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		if n := upstream.asked.Load(); n < 1 || n > 2 {
			t.Errorf("one subject has %d requests at Electric", n)
		}
		cancel()
		synctest.Wait()
		if n := upstream.asked.Load(); n < 1 || n > 2 {
			t.Errorf("one subject has %d requests at Electric, when some went away", n)
		}
		close(upstream.let)
		all.Wait()
		if a := admit(t, l, "user:alice"); !a.load.places.TryAcquire(1) || !l.reads.TryAcquire(int64(l.Reads)) {
			t.Error("a place was not given back")
		}
	})
}

// A folder of fifty documents is shared with a group as one document is.
func TestAQuestionOfSomeKilobytesIsShared(t *testing.T) {
	for ids, want := range map[int]int{50: 1, 100: 1, 200: 0} {
		limited(t, Limits{Concurrent: 2}, 0, 0, func(t *testing.T, l *limiter) {
			upstream := &slowElectric{let: make(chan struct{})}
			log := upstream.log(t)
			literal := "{" + strings.Repeat("d0000000-0000-4000-8000-000000000001,", ids) + "}"
			var all sync.WaitGroup
			for range 2 {
				a := admit(t, l, "user:alice")
				all.Go(func() {
					defer a.leave()
					s := snapshots{place: a, log: log}
					rows, err := s.ask(t.Context(), planOf(t, electric.Subset{Where: "id = ANY($1)", Params: map[string]string{"1": literal}}))
					if err != nil {
						t.Error(err)
						return
					}
					rows.Close()
				})
			}
			synctest.Wait()
			if n := log.upstream.shared.Waiting(); n != want {
				t.Errorf("%d ids: %d wait, want %d", ids, n, want)
			}
			close(upstream.let)
			all.Wait()
		})
	}
}
