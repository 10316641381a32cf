package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/live"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/keepertest"
)

// keep runs what decides for the embedded proxy, until close.
func (d *deployment) keep(ctx context.Context, cfg spicedb.Config, metrics prometheus.Registerer, logger *slog.Logger) (*keepertest.Keeper, error) {
	cfg.Registerer, cfg.Logger = metrics, logger
	client, err := spicedb.Dial(cfg)
	if err != nil {
		return nil, err
	}
	d.onClose(client.Close)
	keeper, err := keepertest.Run(live.Config{
		Engine: client, Key: authz.NewFingerprintKey(d.jwtSecret), Logger: logger, Registerer: metrics,
	})
	if err != nil {
		return nil, err
	}
	d.onClose(func() error {
		err := keeper.End()
		return errors.Join(err, client.EndBeats(context.WithoutCancel(ctx), keeper.Process()))
	})
	return keeper, nil
}
