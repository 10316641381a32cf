package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/shapegate/shapegate/authz/shapetoken"
)

// Gatekeeper says how tokens for single shapes are made. Without a KeyFile there are none.
type Gatekeeper struct {
	// KeyFile is a file of private keys in PEM, Ed25519 or P-256. The first signs, all
	// verify. It is read again every ten seconds.
	KeyFile string

	// Life is how long a token holds at most; 0: 5 minutes.
	Life time.Duration
}

// newAuthority returns what makes and reads the tokens of the gatekeeper, or nil if there is
// to be none. It reads the keys again until ctx ends.
func (g *Gateway) newAuthority(ctx context.Context, cfg *Config) (*shapetoken.Authority, error) {
	if cfg.Gatekeeper.KeyFile == "" {
		return nil, nil //nolint:nilnil // a proxy without a gatekeeper is a proxy
	}
	keys, err := shapetoken.OpenKeyFile(cfg.Gatekeeper.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("SHAPEGATE_GATEKEEPER_KEY_FILE: %w", err)
	}
	ended := make(chan struct{})
	g.closers = append(g.closers, func() error { <-ended; return nil })
	go func() {
		defer close(ended)
		keys.Watch(ctx, g.log)
	}()
	return shapetoken.New(shapetoken.Config{Keys: keys, Issuer: cfg.Proxy.PublicURL, Life: cfg.Gatekeeper.Life}), nil
}
