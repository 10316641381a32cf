package proxy

import (
	"context"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/subset"
)

// source is what a request reads, before it is decided who may see it: a log, and the
// rows that are there. It is of one request, which releases it.
type source interface {
	// firstRead returns the answer to a client that has nothing yet and wants all.
	firstRead(x *exchange, d authz.Decision) answer

	// position returns where the log ends, as far as it was read, and positionNow where it
	// ends now: for a reader that asks for nothing that was written before.
	position(ctx context.Context) (feed.Place, *electric.Schema, error)
	positionNow(ctx context.Context) (feed.Place, *electric.Schema, error)

	// read returns the messages that are there after a place. The caller closes the part.
	// errStaleHandle says that the log does not have the place.
	read(ctx context.Context, after feed.Place) (*feed.Part, error)

	// join joins the readers who wait for the log to go on after a place. It returns the
	// part that there is already, or else a waiter.
	join(ctx context.Context, after feed.Place, d authz.Decision, c *client) (waiter, *feed.Part, error)

	// shared returns what everybody with a decision's grants is sent of a part. It returns
	// false if there is no such answer.
	shared(p *feed.Part, d authz.Decision) (*feed.Answer, bool, error)

	// filtered returns a part of the log with the client's filter of it.
	filtered(ctx context.Context, r *logRead) (*logPart, error)

	// open asks for the rows that grants reach and that the client asked for, as they are
	// now. The caller closes the snapshot.
	open(ctx context.Context, asked *subset.Request, g authz.Grants) (snapshot, error)

	// resync compares the client's grants with the decision that was made when a part of the
	// log was read, and asks for what is needed to bring the client to it. The caller closes
	// the resync.
	resync(ctx context.Context, l *logRead) (*resync, error)

	release()
}

// waiter is a reader who waits for a log to go on. A *feed.Waiter is one.
type waiter interface {
	Wait(ctx context.Context, until feed.Until) (*feed.Part, error)
}

// snapshot is the rows of a source at one time.
type snapshot interface {
	// begin returns where the log goes on, and what the table looks like.
	begin() (feed.Place, *electric.Schema)
	// Fence says which transactions the rows have seen. It is known before the rows; zero
	// where no message of the log can be older than the rows.
	Fence() (electric.Fence, error)
	// meta is the fence as clients read it.
	meta() *electric.Metadata
	// write writes the rows that are permitted at the time of writing.
	write(ctx context.Context, out *arrayWriter, g *guard) error
	Close()
}

func closeSnapshot(s snapshot) {
	if s != nil {
		s.Close()
	}
}
