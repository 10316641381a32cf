// Package grantcachetest runs a grant cache as a process of shapegate does, and waits
// until it has heard of what was written.
//
// Cache is one that runs. Sentinel is a subject whose grants show what a cache has heard
// of. A test waits for it instead of waiting for a time. Neither imitates anything. Only
// tests, and the load tool, may import this package.
package grantcachetest

import (
	"context"
	"errors"
	"testing"

	"github.com/shapegate/shapegate/authz/grantcache"
)

// Cache is a grant cache that runs.
type Cache struct {
	*grantcache.Cache
	watch  *watch
	cancel context.CancelFunc
	done   chan error
}

// Run runs a grant cache until End. It fails as grantcache.New does.
func Run(cfg grantcache.Config) (*Cache, error) {
	w := &watch{Engine: cfg.Engine, heard: make(map[string]bool), changed: make(chan struct{})}
	cfg.Engine = w
	cache, err := grantcache.New(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Cache{cache, w, cancel, make(chan error, 1)}
	go func() { c.done <- cache.Run(ctx) }()
	return c, nil
}

// Start runs a grant cache until the test ends.
func Start(tb testing.TB, cfg grantcache.Config) *Cache {
	tb.Helper()
	c, err := Run(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.End(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// End ends the cache, and returns what went wrong in it. It may be called once.
func (c *Cache) End() error {
	c.cancel()
	return errors.Join(<-c.done, c.Close())
}
