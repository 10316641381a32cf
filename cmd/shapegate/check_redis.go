package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/authz/session"
)

const redisTime = 5 * time.Second

var errClusterNode = errors.New("REDIS_URL names one server, which is a node of a cluster and refuses the keys of the other nodes, so that sessions fail; " +
	"name the cluster: add ?cluster=true to the URL, or name several of its nodes")

// checkRedis finds out whether REDIS_URL names a Redis as what it is.
func checkRedis(r *report, at session.RedisConfig) {
	if at.URL == "" {
		return // there are no sessions
	}
	redis.SetLogger(silent{})
	client, err := session.Dial(at)
	if err != nil {
		r.failed(fmt.Errorf("REDIS_URL: %w", err))
		return
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(r.cmd.Context(), redisTime)
	defer cancel()
	switch isNode, err := isClusterNode(ctx, client); {
	case err != nil:
		r.failed(fmt.Errorf("ask Redis (REDIS_URL): %w", err))
	case isNode:
		r.wrong(errClusterNode)
	}
}

// silent keeps what go-redis says of its connections off the standard error: the command's
// own error says it.
type silent struct{}

// Printf implements go-redis' internal.Logging.
func (silent) Printf(context.Context, string, ...any) {}

// isClusterNode reports whether a client of one server has a node of a cluster there.
func isClusterNode(ctx context.Context, client redis.UniversalClient) (bool, error) {
	if err := client.Ping(ctx).Err(); err != nil {
		return false, err
	}
	if _, isOne := client.(*redis.Client); !isOne {
		return false, nil
	}
	info, err := client.Info(ctx, "cluster").Result()
	if refused := redis.Error(nil); errors.As(err, &refused) {
		return false, nil // a server that does not tell is taken at its word
	}
	return strings.Contains(info, "cluster_enabled:1"), err
}
