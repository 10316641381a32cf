package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/authz"
)

// DefaultPrefix begins the key of every session.
const DefaultPrefix = "shapegate:session:"

// callTimeout bounds every call, dialling included. A person waits for it at
// every request, so it is better to say soon that Redis is away.
const callTimeout = 500 * time.Millisecond

// Redis is a Store in a Redis server, or in anything that speaks its protocol.
// It uses SET with a TTL, GET and DEL on keys that begin with its prefix, and
// nothing else, which an access control list may rely on.
type Redis struct {
	client redis.UniversalClient
	prefix string
}

var _ Store = (*Redis)(nil)

// NewRedis returns a store on a client, whose keys begin with prefix, or with
// DefaultPrefix if that is empty. The client stays the caller's to close. It must
// heed the deadlines of contexts (redis.Options.ContextTimeoutEnabled), as the
// ones from Dial do.
func NewRedis(client redis.UniversalClient, prefix string) *Redis {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return &Redis{client: client, prefix: prefix}
}

func (r *Redis) key(id [sha256.Size]byte) string { return r.prefix + hex.EncodeToString(id[:]) }

// Put implements Store.
func (r *Redis) Put(ctx context.Context, id [sha256.Size]byte, data []byte, ttl time.Duration) error {
	// The client takes a TTL of zero for none at all.
	ttl = ttl.Truncate(time.Millisecond)
	if ttl <= 0 {
		return authz.E(authz.Invalid, "redis SET", fmt.Errorf("a TTL of %v", ttl))
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return redisError("redis SET", r.client.Set(ctx, r.key(id), data, ttl).Err())
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, id [sha256.Size]byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	data, err := r.client.Get(ctx, r.key(id)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	return data, redisError("redis GET", err)
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, id [sha256.Size]byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return redisError("redis DEL", r.client.Del(ctx, r.key(id)).Err())
}

func redisError(op string, err error) error {
	if err == nil {
		return nil
	}
	return authz.E(authz.Unavailable, op, err)
}
