package spicedb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
)

var errStreamEnded = errors.New("SpiceDB ended the stream")

// Watch implements authz.Engine. Nothing but ctx bounds the stream, and one on
// which nothing comes may be broken: only a heartbeat that comes back shows that it is
// not. SpiceDB ends the stream of a client that does not keep up, and it can be
// resumed: yield must not wait for anything slow.
//
// On Postgres a revision is what one transaction saw, and transactions that
// overlap have seen each other's writes neither way. So an answer that is at least
// as fresh as an event may lack what an earlier event brought, checkpoints included;
// an answer at full consistency has all of it. A watch that is resumed there may bring
// twice what was written about the same time, and leaves nothing out.
//
// Without a revision to begin after, SpiceDB begins at one of its own choice,
// which may lie before or after what was asked for earlier.
//
// A SpiceDB that cannot be watched (Postgres without track_commit_timestamp) is
// Internal.
func (c *Client) Watch(ctx context.Context, after authz.ZedToken, yield func(authz.WatchEvent)) error {
	const op = "watch"
	ctx, cancel := context.WithCancel(ctx) // frees the stream, however this ends
	defer cancel()
	err := c.watchable(ctx, after)
	if err == nil {
		err = c.watchFrom(ctx, after, yield)
	}
	if revisionGone(err) {
		return authz.E(authz.Unavailable, op, fmt.Errorf("%w: %w", authz.ErrRevisionGone, err))
	}
	if status.Code(err) == codes.FailedPrecondition {
		return authz.E(authz.Internal, op, err)
	}
	return c.failed(ctx, op, err)
}

// watchable asks whether SpiceDB still has everything since a revision. Its watch
// does not: on Postgres it begins at any revision, and leaves out what was
// collected as garbage.
func (c *calls) watchable(ctx context.Context, after authz.ZedToken) error {
	if after == "" {
		return nil
	}
	_, err := c.reflect(ctx, c.cfg.Timeout, reflectNothing(exactly(asZedToken(after))))
	if status.Code(err) == codes.NotFound {
		return nil // there is no schema, but there is the revision
	}
	return err
}

var watchKinds = []authzedv1.WatchKind{
	authzedv1.WatchKind_WATCH_KIND_INCLUDE_RELATIONSHIP_UPDATES,
	authzedv1.WatchKind_WATCH_KIND_INCLUDE_SCHEMA_UPDATES,
	authzedv1.WatchKind_WATCH_KIND_INCLUDE_CHECKPOINTS,
}

// watchFrom reads one stream until it breaks.
func (c *calls) watchFrom(ctx context.Context, after authz.ZedToken, yield func(authz.WatchEvent)) error {
	req := &authzedv1.WatchRequest{OptionalUpdateKinds: watchKinds}
	if after != "" {
		req.OptionalStartCursor = asZedToken(after)
	}
	// A revision comes in one message, however much was written in it. One that is
	// refused for its size would be refused again each time the watch is resumed.
	stream, err := c.watch.Watch(ctx, req, grpc.MaxCallRecvMsgSize(math.MaxInt32))
	if err != nil {
		return err
	}
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errStreamEnded
		}
		if err != nil {
			return err
		}
		yield(asEvent(res))
	}
}

func asEvent(res *authzedv1.WatchResponse) authz.WatchEvent {
	e := authz.WatchEvent{
		SchemaChanged: res.GetSchemaUpdated(),
		Checkpoint:    res.GetIsCheckpoint(),
		Through:       authz.ZedToken(res.GetChangesThrough().GetToken()),
	}
	for _, u := range res.GetUpdates() {
		rel := fromAPI(u.GetRelationship())
		deleted := u.GetOperation() == authzedv1.RelationshipUpdate_OPERATION_DELETE
		if rel.Resource.Type == HeartbeatDefinition {
			if n, ok := heartbeatNumber(rel); ok && !deleted {
				e.Heartbeats = withHeartbeat(e.Heartbeats, rel.Resource.ID, n)
			}
			continue
		}
		e.Updates = append(e.Updates, authz.RelationshipUpdate{
			Resource:        rel.Resource,
			Relation:        rel.Relation,
			Subject:         rel.Subject,
			SubjectRelation: rel.SubjectRelation,
			Deleted:         deleted,
			Expires:         rel.Expires,
		})
	}
	return e
}

// heartbeatNumber reads the number of a heartbeat from its relationship.
func heartbeatNumber(rel Relationship) (uint64, bool) {
	n, err := strconv.ParseUint(rel.Subject.ID, 10, 64)
	return n, err == nil && rel.Relation == heartbeatRelation && rel.Subject.Type == HeartbeatDefinition
}

func withHeartbeat(all map[string]uint64, process string, n uint64) map[string]uint64 {
	if all == nil {
		all = make(map[string]uint64)
	}
	all[process] = max(all[process], n)
	return all
}

// goneWords are what SpiceDB says, with codes that mean other things too, of a
// revision that it can never be watched from again.
var goneWords = []string{
	"start revision",               // of another datastore, or no token at all (InvalidArgument)
	"invalid revision requested",   // no token at all (InvalidArgument)
	"different datastore instance", // (Unknown)
	"revision has expired",         // while the watch began (Internal)
	"maximum changes byte size",    // a revision after it is too large for the watch (Unknown)
}

func revisionGone(err error) bool {
	if status.Code(err) == codes.OutOfRange { // collected as garbage, or of a time before a restore
		return true
	}
	for _, words := range goneWords {
		if err != nil && strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}
