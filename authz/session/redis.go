package session

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/authz"
)

// DefaultPrefix begins the key of every session.
const DefaultPrefix = "shapegate:session:"

// callTimeout bounds every call, dialling included. A person waits for it, so it
// is better to say soon that Redis is away.
const callTimeout = 500 * time.Millisecond

// Redis is a Store in a Redis server or cluster, or in anything that speaks its
// protocol. A session is a string with a TTL at
//
//	<prefix>{<subject in hex>}:<token's SHA-256 in hex>
//
// and the sorted set <prefix>{<subject in hex>} lists the sessions of a subject by
// when they were made. The braces put both into one slot of a cluster.
//
// It uses GET, EXISTS, DEL, ZREM and EVALSHA (EVAL after a restart), and inside its
// script SET, PEXPIRE, PTTL, TIME, ZADD, ZCARD, ZRANGE and ZREM, on keys that begin
// with its prefix, and nothing else, which an access control list may rely on.
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

func (r *Redis) index(k Key) string { return r.prefix + "{" + hex.EncodeToString(k.Subject[:]) + "}" }

func (r *Redis) key(k Key) string { return r.index(k) + ":" + member(k) }

func member(k Key) string { return hex.EncodeToString(k.Token[:]) }

// put keeps a session and removes the oldest of its subject, in one step, so that
// the bound holds whatever is done at the same time. The index may name sessions
// that have expired; they are looked for only where the bound is reached.
var put = redis.NewScript(`
local session, index = KEYS[1], KEYS[2]
local data, ttl, most, member = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
redis.call('ZREM', index, member)
if redis.call('ZCARD', index) >= most then
	for _, other in ipairs(redis.call('ZRANGE', index, 0, -1)) do
		if redis.call('EXISTS', index .. ':' .. other) == 0 then
			redis.call('ZREM', index, other)
		end
	end
	local over = redis.call('ZCARD', index) - most + 1
	if over > 0 then
		for _, oldest in ipairs(redis.call('ZRANGE', index, 0, over - 1)) do
			redis.call('DEL', index .. ':' .. oldest)
			redis.call('ZREM', index, oldest)
		end
	end
end
local now = redis.call('TIME')
redis.call('ZADD', index, now[1] .. string.format('%06d', now[2]), member)
if redis.call('PTTL', index) < ttl then
	redis.call('PEXPIRE', index, ttl)
end
redis.call('SET', session, data, 'PX', ttl)
return 1
`)

// Put implements Store.
func (r *Redis) Put(ctx context.Context, k Key, data []byte, ttl time.Duration, most int) error {
	ttl = ttl.Truncate(time.Millisecond)
	if ttl <= 0 || most < 1 {
		return authz.E(authz.Invalid, "redis SET", fmt.Errorf("a TTL of %v, %d sessions at most", ttl, most))
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := put.Run(ctx, r.client, []string{r.key(k), r.index(k)}, data, ttl.Milliseconds(), most, member(k)).Err()
	return redisError("redis EVALSHA", err)
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, k Key) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	data, err := r.client.Get(ctx, r.key(k)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	return data, redisError("redis GET", err)
}

// Has implements Store, in one round trip.
func (r *Redis) Has(ctx context.Context, keys []Key) ([]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answers := make([]*redis.IntCmd, len(keys))
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, k := range keys {
			answers[i] = p.Exists(ctx, r.key(k))
		}
		return nil
	})
	if err != nil {
		return nil, redisError("redis EXISTS", err)
	}
	held := make([]bool, len(keys))
	for i, a := range answers {
		held[i] = a.Val() > 0
	}
	return held, nil
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, k Key) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, r.key(k))
		p.ZRem(ctx, r.index(k), member(k))
		return nil
	})
	return redisError("redis DEL", err)
}

func redisError(op string, err error) error {
	if err == nil {
		return nil
	}
	return authz.E(authz.Unavailable, op, err)
}
