package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

// ErrNotFound is a Store's answer for an id that it does not hold.
var ErrNotFound = errors.New("no such session in the store")

// Store keeps a value under the SHA-256 of a session token for a limited time.
// Every error but ErrNotFound means that the store did not answer, and says
// nothing about the session. Package sessiontest has the tests that a store must
// pass. A Store is safe for concurrent use.
type Store interface {
	// Put keeps data for ttl, in place of what was there. A ttl of less than a
	// millisecond is an error: no store may keep a session forever.
	Put(ctx context.Context, id [sha256.Size]byte, data []byte, ttl time.Duration) error

	// Get returns what Put kept, or ErrNotFound.
	Get(ctx context.Context, id [sha256.Size]byte) ([]byte, error)

	// Delete removes what Put kept, if it is there.
	Delete(ctx context.Context, id [sha256.Size]byte) error
}
