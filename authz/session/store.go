package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

// ErrNotFound is a Store's answer for a key that it does not hold.
var ErrNotFound = errors.New("no such session in the store")

// Key names a session in a Store without telling its token.
type Key struct {
	// Subject is the same for all sessions of one subject.
	Subject [subjectBytes]byte
	// Token is the SHA-256 of the token.
	Token [sha256.Size]byte
}

// Store keeps sessions for a limited time, and a limited number for each subject.
// Every error but ErrNotFound means that the store did not answer, and says
// nothing about the session. Package sessiontest has the tests that a store must
// pass. A Store is safe for concurrent use.
type Store interface {
	// Put keeps data for ttl, in place of what was there. At most most sessions of
	// the key's subject are kept, this one among them: the oldest are removed in
	// the same step. A ttl of less than a millisecond is an error: no store may
	// keep a session forever.
	Put(ctx context.Context, key Key, data []byte, ttl time.Duration, most int) error

	// Get returns what Put kept, or ErrNotFound.
	Get(ctx context.Context, key Key) ([]byte, error)

	// Has reports of each key whether it is held.
	Has(ctx context.Context, keys []Key) ([]bool, error)

	// Delete removes what Put kept, if it is there.
	Delete(ctx context.Context, key Key) error
}
