package spicedb

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
)

// refusalTime is how long a watch that is not refused is listened to: a refusal comes at
// once, and of a good one nothing may come for a while.
const refusalTime = 500 * time.Millisecond

// WatchRefusal says why SpiceDB cannot be watched, in SpiceDB's words. It is "" if SpiceDB
// begins a watch. An error means that there is no answer.
//
// On a Postgres without track_commit_timestamp, SpiceDB 1.56 has no watch service at all.
func (c *Client) WatchRefusal(ctx context.Context) (string, error) {
	const op = "try a watch"
	at, _, err := c.Head(ctx)
	if err != nil {
		return "", err
	}
	// A timer, and no deadline: a deadline is sent to SpiceDB, which may end the stream by it
	// first.
	trial, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(refusalTime, cancel).Stop()
	err = c.watchFrom(trial, at, func(authz.WatchEvent) { cancel() })
	switch code := status.Code(err); {
	case code == codes.FailedPrecondition, code == codes.Unimplemented:
		return status.Convert(err).Message(), nil
	case trial.Err() != nil && ctx.Err() == nil:
		return "", nil // it went on until it was ended here
	default:
		return "", c.failed(ctx, op, err)
	}
}
