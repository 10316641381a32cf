package spicedb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

// watching is a watch in a goroutine.
type watching struct {
	events chan authz.WatchEvent
	err    error // once events is closed
	cancel context.CancelFunc
}

func startWatch(t *testing.T, c *Client, after authz.ZedToken) *watching {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	w := &watching{events: make(chan authz.WatchEvent), cancel: cancel}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(w.events)
		w.err = c.Watch(ctx, after, func(e authz.WatchEvent) {
			select {
			case w.events <- e:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

// until returns the events up to the first that fits.
func (w *watching) until(t *testing.T, fits func(authz.WatchEvent) bool) []authz.WatchEvent {
	t.Helper()
	var events []authz.WatchEvent
	for e := range w.events {
		if e.Through == "" {
			t.Error("an event of no revision")
		}
		if events = append(events, e); fits(e) {
			return events
		}
	}
	t.Fatalf("the watch ended: %v", w.err)
	return nil
}

// broken waits for the end and returns its error.
func (w *watching) broken() error {
	for range w.events {
		continue // what comes before the end is of no interest
	}
	return w.err
}

func describe(events []authz.WatchEvent) []string {
	var got []string
	for _, e := range events {
		for _, u := range e.Updates {
			rel := Relationship{Resource: u.Resource, Relation: u.Relation, Subject: u.Subject, SubjectRelation: u.SubjectRelation, Expires: u.Expires}
			sign := "+"
			if u.Deleted {
				sign = "-"
			}
			got = append(got, sign+rel.String())
		}
	}
	return got
}

// with reports whether an event has an update of a document.
func with(id string) func(authz.WatchEvent) bool {
	return func(e authz.WatchEvent) bool {
		for _, u := range e.Updates {
			if u.Resource.ID == id {
				return true
			}
		}
		return false
	}
}

func head(t *testing.T, c *Client) authz.ZedToken {
	t.Helper()
	at, _, err := c.Head(t.Context())
	must(t, err)
	return at
}

func TestTheWatchReportsWrites(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{
		Schema: "use expiration\n" + strings.Replace(testSchema, "user:* |", "user:* | user with expiration |", 1),
	})
	c := dial(t, testConfig(s))
	must(t, s.Touch(t.Context(), "document:before#viewer@user:alice"))
	w := startWatch(t, c, head(t, c))
	must(t, s.Touch(t.Context(), "document:a#viewer@user:alice", "document:a#viewer@user:*"))
	must(t, s.Touch(t.Context(), "document:b#viewer@group:staff#member", `document:b#banned@user:bob`))
	must(t, s.Touch(t.Context(), `document:c#viewer@user:alice[on_network:{"allowed":["office"]}]`))
	must(t, s.Touch(t.Context(), "document:d#viewer@user:alice[expiration:2130-01-02T03:04:05Z]"))
	must(t, s.Delete(t.Context(), "document:a#viewer@user:alice", "document:a#viewer@user:nobody"))
	must(t, s.Touch(t.Context(), "document:last#viewer@user:alice"))
	events := w.until(t, with("last"))
	want := []string{
		"+document:a#viewer@user:alice", "+document:a#viewer@user:*",
		"+document:b#viewer@group:staff#member", "+document:b#banned@user:bob",
		"+document:c#viewer@user:alice",
		"+document:d#viewer@user:alice[expiration:2130-01-02T03:04:05Z]",
		"-document:a#viewer@user:alice",
		"+document:last#viewer@user:alice",
	}
	if diff := cmp.Diff(want, describe(events), sortedStrings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheWatchReportsSchemaChanges(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	w := startWatch(t, c, head(t, c))
	changed := func(e authz.WatchEvent) bool { return e.SchemaChanged }
	for name, schema := range map[string]string{
		"a definition":       testSchema + "\ndefinition another {}",
		"a caveat":           testSchema + "\ncaveat another(x int) { x > 0 }",
		"a permission":       strings.Replace(testSchema, "- banned", "", 1),
		"what a caveat asks": strings.Replace(testSchema, "network in allowed", "!(network in allowed)", 1),
	} {
		t.Run(name, func(t *testing.T) {
			must(t, s.WriteSchema(t.Context(), schema))
			w.until(t, changed)
			must(t, s.WriteSchema(t.Context(), testSchema))
			w.until(t, changed)
		})
	}
}

func TestAWatchEndsWithItsContext(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	w := startWatch(t, c, head(t, c))
	must(t, s.Touch(t.Context(), "document:a#viewer@user:alice"))
	w.until(t, with("a"))
	w.cancel()
	if err := w.broken(); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestAWatchIsResumedWhereItWas(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	id := func(i int) string { return fmt.Sprintf("d%03d", i) }
	const writes, perStream = 60, 4
	var want, got []string
	at := head(t, c)
	for i := range writes {
		relationship := "document:" + id(i) + "#viewer@user:alice"
		must(t, s.Touch(t.Context(), relationship))
		want = append(want, "+"+relationship)
	}
	for i := perStream - 1; i < writes; i += perStream {
		w := startWatch(t, c, at)
		events := w.until(t, with(id(i)))
		at = events[len(events)-1].Through
		got = append(got, describe(events)...)
		s.BreakConnections()
		wantKind(t, w.broken(), authz.Unavailable)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A revision comes in one message, which may be larger than gRPC clients take
// unless they are configured to.
func TestALargeRevisionIsWatched(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	w := startWatch(t, c, head(t, c))
	bulk, err := authzedv1.NewPermissionsServiceClient(s.Conn()).ImportBulkRelationships(t.Context())
	must(t, err)
	const chunks, perChunk = 6, 1000
	long := strings.Repeat("x", 900)
	for i := range chunks {
		req := &authzedv1.ImportBulkRelationshipsRequest{}
		for j := range perChunk {
			rel, err := Relationship{
				Resource: document(fmt.Sprintf("%d-%d-%s", i, j, long)), Relation: "viewer", Subject: user("alice").ObjectRef,
			}.toAPI()
			must(t, err)
			req.Relationships = append(req.Relationships, rel)
		}
		must(t, bulk.Send(req))
	}
	_, err = bulk.CloseAndRecv()
	must(t, err)
	events := w.until(t, func(e authz.WatchEvent) bool { return e.Checkpoint })
	if n := len(describe(events)); n != chunks*perChunk {
		t.Errorf("%d of %d updates", n, chunks*perChunk)
	}
}

func wantGone(t *testing.T, err error) {
	t.Helper()
	wantKind(t, err, authz.Unavailable)
	if !errors.Is(err, authz.ErrRevisionGone) {
		t.Errorf("the revision is not said to be gone: %v", err)
	}
}

func TestARevisionThatIsGone(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	other := dial(t, testConfig(startServer(t, "", nil)))
	for name, at := range map[string]authz.ZedToken{
		"of another datastore": head(t, other),
		"no token":             "nonsense",
	} {
		t.Run(name, func(t *testing.T) {
			wantGone(t, startWatch(t, c, at).broken())

			// SpiceDB's own watch is of the same opinion.
			err := c.watchFrom(t.Context(), at, func(authz.WatchEvent) { t.Error("an event") })
			if !revisionGone(err) {
				t.Errorf("the watch answers %v", err)
			}
		})
	}
}

func TestARevisionThatExpires(t *testing.T) {
	s := spicedbtest.Start(t, spicedbtest.Config{Schema: testSchema, GCWindow: 2 * time.Second})
	c := dial(t, testConfig(s))
	at := head(t, c)
	must(t, s.Touch(t.Context(), "document:a#viewer@user:alice")) // the newest one never expires
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		watch, stop := context.WithCancel(ctx)
		err := c.Watch(watch, at, func(authz.WatchEvent) { stop() })
		stop()
		if errors.Is(err, context.Canceled) {
			continue // it could be watched from
		}
		wantGone(t, err)
		break
	}
	must(t, s.Touch(t.Context(), "document:a#viewer@user:alice")) // a new one, to watch from
	w := startWatch(t, c, head(t, c))
	must(t, s.Touch(t.Context(), "document:b#viewer@user:alice"))
	w.until(t, with("b"))
}

func TestASilentWatchComesBackToLife(t *testing.T) {
	s := startServer(t, "", nil)
	c := dial(t, testConfig(s))
	w := startWatch(t, c, head(t, c))
	must(t, s.Touch(t.Context(), "document:a#viewer@user:alice"))
	w.until(t, func(e authz.WatchEvent) bool { return e.Checkpoint })
	s.Stall()
	must(t, s.Touch(t.Context(), "document:b#viewer@user:alice"))
	select {
	case e := <-w.events:
		t.Errorf("%v came through", e)
	case <-time.After(50 * time.Millisecond):
	}
	must(t, s.Resume())
	w.until(t, with("b"))
}

// failingWatch answers every watch with an error, at once or in the stream.
type failingWatch struct {
	authzedv1.WatchServiceClient
	err error
}

func (f *failingWatch) Watch(context.Context, *authzedv1.WatchRequest, ...grpc.CallOption) (grpc.ServerStreamingClient[authzedv1.WatchResponse], error) {
	return &failingStream{err: f.err}, nil
}

type failingStream struct {
	grpc.ServerStreamingClient[authzedv1.WatchResponse]
	err error
}

func (s *failingStream) Recv() (*authzedv1.WatchResponse, error) { return nil, s.err }

func TestKindsOfABrokenWatch(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want authz.Kind
		gone bool
	}{
		{status.Error(codes.Unavailable, "watch has failed with a temporary condition"), authz.Unavailable, false},
		{status.Error(codes.ResourceExhausted, "watch disconnected: watch fell too far behind"), authz.Unavailable, false},
		{status.Error(codes.Canceled, "watch canceled by user"), authz.Unavailable, false},
		{io.EOF, authz.Unavailable, false},
		{status.Error(codes.FailedPrecondition, "watch is currently disabled: postgres must be run with track_commit_timestamp=on"), authz.Internal, false},
		{status.Error(codes.Unimplemented, "unknown service authzed.api.v1.WatchService"), authz.Internal, false},
		{status.Error(codes.InvalidArgument, "value must be one of the defined enum values"), authz.Internal, false},
		{status.Error(codes.InvalidArgument, "failed to decode start revision: error decoding zedtoken"), authz.Unavailable, true},
		{status.Error(codes.InvalidArgument, "start revision was generated by a different datastore instance"), authz.Unavailable, true},
		{status.Error(codes.OutOfRange, "invalid zedtoken: revision has expired"), authz.Unavailable, true},
		{status.Error(codes.Internal, "failed to read schema: revision has expired"), authz.Unavailable, true},
		{status.Error(codes.Unknown, "maximum changes byte size of 42 exceeded"), authz.Unavailable, true},
	} {
		c := &Client{calls: calls{watch: &failingWatch{err: tt.err}}}
		err := c.Watch(t.Context(), "", func(authz.WatchEvent) { t.Error("an event") })
		wantKind(t, err, tt.want)
		if gone := errors.Is(err, authz.ErrRevisionGone); gone != tt.gone {
			t.Errorf("%v: gone is %v", tt.err, gone)
		}
	}
}
