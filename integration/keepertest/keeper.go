// Package keepertest runs a keeper of decisions as a process of shapegate does, and
// waits until it has heard of what was written.
//
// Keeper is one that runs. Sentinel is somebody whose grants show what a keeper has
// heard of; a test that has something withheld or told waits for it before it looks,
// and so needs to wait for no time at all. Neither imitates anything. Only tests, and
// the load tool, may import this package.
package keepertest

import (
	"context"
	"errors"
	"testing"

	"github.com/shapegate/shapegate/authz/grantcache"
)

// Keeper is a keeper that runs.
type Keeper struct {
	*grantcache.Cache
	cancel context.CancelFunc
	done   chan error
}

// Run runs a keeper until End. It fails as grantcache.New does.
func Run(cfg grantcache.Config) (*Keeper, error) {
	keeper, err := grantcache.New(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	k := &Keeper{keeper, cancel, make(chan error, 1)}
	go func() { k.done <- keeper.Run(ctx) }()
	return k, nil
}

// Start runs a keeper until the test ends.
func Start(tb testing.TB, cfg grantcache.Config) *Keeper {
	tb.Helper()
	k, err := Run(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := k.End(); err != nil {
			tb.Error(err)
		}
	})
	return k
}

// End ends the keeper, and returns what went wrong in it. It may be called once.
func (k *Keeper) End() error {
	k.cancel()
	return errors.Join(<-k.done, k.Close())
}
