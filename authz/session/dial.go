package session

import (
	"cmp"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/shapegate/shapegate/authz"
)

// errRedisURL says nothing of the URL, nor does the parser's own error get out:
// it quotes pieces of the URL, among them, if it is malformed enough, the
// password.
var errRedisURL = errors.New("the Redis URL is not of the form redis://[user:password@]host[:port][/database], rediss:// (TLS) or unix:///path, or has an unknown option")

// Dial returns a client for a Redis URL. It connects when it is first used, so
// Redis need not be there yet. Errors are Invalid and do not repeat the URL.
//
// Timeouts and the pool fit calls of half a second that a person waits for.
// Options in the URL win (dial_timeout, read_timeout, write_timeout,
// pool_timeout, pool_size, max_retries and the others of redis.ParseURL).
func Dial(redisURL string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, authz.E(authz.Invalid, "redis URL", errRedisURL)
	}
	o.ContextTimeoutEnabled = true
	o.DialTimeout = cmp.Or(o.DialTimeout, callTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, callTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, callTimeout)
	o.PoolTimeout = cmp.Or(o.PoolTimeout, callTimeout)
	o.ConnMaxIdleTime = cmp.Or(o.ConnMaxIdleTime, 5*time.Minute)

	// One more attempt is for a pooled connection that Redis closed meanwhile.
	// SET, GET and DEL of a session may safely be done twice.
	o.MaxRetries = cmp.Or(o.MaxRetries, 1)
	o.DialerRetries = 1

	// Nothing is sent but what Redis' doc comment says, HELLO and AUTH aside.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}
