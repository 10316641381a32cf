package spicedb

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
)

// cutting ends the stream of each lookup after some messages.
type cutting struct {
	authzedv1.PermissionsServiceClient
	calls atomic.Int64
	after func(call int) int // messages to let through, or -1 for all
	code  codes.Code
}

type cutStream struct {
	authzedv1.PermissionsService_LookupResourcesClient
	left int
	code codes.Code
}

func (c *cutting) LookupResources(ctx context.Context, req *authzedv1.LookupResourcesRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[authzedv1.LookupResourcesResponse], error) {
	call := int(c.calls.Add(1)) - 1
	stream, err := c.PermissionsServiceClient.LookupResources(ctx, req, opts...)
	return &cutStream{stream, c.after(call), c.code}, err
}

func (s *cutStream) Recv() (*authzedv1.LookupResourcesResponse, error) {
	if s.left == 0 {
		return nil, status.Error(s.code, "cut")
	}
	s.left--
	return s.PermissionsService_LookupResourcesClient.Recv()
}

func TestALookupResumesWhereverItIsCut(t *testing.T) {
	relationships, want := numbered(40)
	for version, name := range versions {
		t.Run(version, func(t *testing.T) {
			s := startServer(t, name, relationships)
			c := dial(t, testConfig(s))
			for n := range len(want) + 1 {
				cut := &cutting{PermissionsServiceClient: c.permissions, code: codes.Unavailable}
				cut.after = func(call int) int {
					if call == 0 {
						return n
					}
					return -1
				}
				got, err := lookup(t.Context(), withPermissions(c, cut), user("alice"), nil)
				must(t, err)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("cut after %d messages (-want +got):\n%s", n, diff)
				}
				if calls := cut.calls.Load(); calls != 2 {
					t.Fatalf("cut after %d messages: %d calls", n, calls)
				}
			}
		})
	}
}

func withPermissions(c *Client, p authzedv1.PermissionsServiceClient) *Client {
	return &Client{conn: c.conn, calls: calls{permissions: p, schema: c.schema, watch: c.watch, cfg: c.cfg}, failures: failures{log: c.log}}
}

func TestALookupGoesOnAsLongAsItMakesProgress(t *testing.T) {
	relationships, want := numbered(2500)
	s := startServer(t, "", relationships)
	c := dial(t, testConfig(s))
	cut := &cutting{PermissionsServiceClient: c.permissions, code: codes.Unavailable}
	cut.after = func(int) int { return 400 }
	got, err := lookup(t.Context(), withPermissions(c, cut), user("alice"), nil)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if calls := cut.calls.Load(); calls != 7 {
		t.Errorf("%d calls, want 7", calls)
	}
}

// Without cursors there is no progress to be made, only a number of attempts.
func TestALookupWithoutCursorsBeginsAgain(t *testing.T) {
	relationships, want := numbered(2500)
	s := startServer(t, "lr3", relationships)
	c := dial(t, testConfig(s))
	cut := &cutting{PermissionsServiceClient: c.permissions, code: codes.Unavailable}
	cut.after = func(call int) int { return []int{400, 800, 1200, -1}[call] }
	got, err := lookup(t.Context(), withPermissions(c, cut), user("alice"), nil)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	cut.after = func(int) int { return 400 }
	_, err = lookup(t.Context(), withPermissions(c, cut), user("alice"), nil)
	wantKind(t, err, authz.Unavailable)
}

func TestALookupWithoutProgressEnds(t *testing.T) {
	relationships, _ := numbered(10)
	s := startServer(t, "", relationships)
	c := dial(t, testConfig(s))
	cut := &cutting{PermissionsServiceClient: c.permissions, code: codes.ResourceExhausted}
	cut.after = func(call int) int { return max(0, 3-call) }
	_, err := lookup(t.Context(), withPermissions(c, cut), user("alice"), nil)
	wantKind(t, err, authz.Unavailable)
	// Calls 0, 1 and 2 make progress; then the last of these and three more.
	if calls := cut.calls.Load(); calls != 3+maxAttempts-1 {
		t.Errorf("%d calls", calls)
	}
}

func TestALookupIsNotResumedAfterAnAnswer(t *testing.T) {
	relationships, _ := numbered(10)
	s := startServer(t, "", relationships)
	c := dial(t, testConfig(s))
	cut := &cutting{PermissionsServiceClient: c.permissions, code: codes.FailedPrecondition}
	cut.after = func(int) int { return 5 }
	_, err := lookup(t.Context(), withPermissions(c, cut), user("alice"), nil)
	wantKind(t, err, authz.Unanswerable)
	if calls := cut.calls.Load(); calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

// A lookup whose connection breaks, on a real connection, ends with the ids as
// they were when it began, whatever was written meanwhile.
func TestABrokenLookupStaysAtItsRevision(t *testing.T) {
	relationships, want := numbered(2500)
	for version, name := range versions {
		t.Run(version, func(t *testing.T) {
			s := startServer(t, name, relationships)
			c := dial(t, testConfig(s))
			var got []string
			broken := false
			_, err := c.LookupResources(t.Context(), lookupOf(user("alice"), nil), func(id string) {
				got = append(got, id)
				if broken {
					return
				}
				broken = true
				must(t, s.Delete(t.Context(), relationships[1000:1500]...))
				must(t, s.Touch(t.Context(), "document:d99999#viewer@user:alice", "document:a00000#viewer@user:alice"))
				s.BreakConnections()
			})
			must(t, err)
			slices.Sort(got)
			if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if s.Calls("LookupResources") < 2 {
				t.Error("the stream was not broken")
			}
		})
	}
}

// Conditional results move the cursor on, and are left out on both sides of a
// cut.
func TestConditionalResultsAreLeftOutOverACut(t *testing.T) {
	relationships, want := numbered(20)
	for _, id := range []string{"c1", "c2", "c3", "d00005x", "d00012x", "zz"} {
		relationships = append(relationships, "document:"+id+`#viewer@user:alice[on_network:{"allowed":["office"]}]`)
	}
	for version, name := range versions {
		s := startServer(t, name, relationships)
		c := dial(t, testConfig(s))
		for n := range 26 {
			cut := &cutting{PermissionsServiceClient: c.permissions, code: codes.Unavailable}
			cut.after = func(call int) int { return []int{n, -1}[min(call, 1)] }
			got, err := lookup(t.Context(), withPermissions(c, cut), user("alice"), nil)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, cut after %d (-want +got):\n%s", version, n, diff)
			}
		}
	}
}

// The benchmarks look up what one relation grants. Paths that SpiceDB must check
// again, id by id, cost what the datastore makes them cost, and the in-memory one
// walks a whole relation for each hundred ids.
func benchmarkLookup(b *testing.B, n int) {
	b.Helper()
	relationships := make([]string, n)
	for i := range relationships {
		relationships[i] = fmt.Sprintf("record:r%06d#viewer@user:alice", i)
	}
	s := startServer(b, "", relationships)
	c := dial(b, testConfig(s))
	for b.Loop() {
		count := 0
		l := authz.Lookup{Subject: user("alice").ObjectRef, ResourceType: "record", Permission: "view"}
		_, err := c.LookupResources(b.Context(), l, func(string) { count++ })
		if err != nil || count != n {
			b.Fatal(count, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "ids/s")
}

func BenchmarkLookup1000(b *testing.B)   { benchmarkLookup(b, 1_000) }
func BenchmarkLookup100000(b *testing.B) { benchmarkLookup(b, 100_000) }

func BenchmarkCheck(b *testing.B) {
	s := startServer(b, "", testRelationships)
	c := dial(b, testConfig(s))
	for b.Loop() {
		if held, err := c.CheckPermission(b.Context(), user("alice"), document("bygroup"), "view", nil); err != nil || !held {
			b.Fatal(held, err)
		}
	}
}
