package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/live"
	"github.com/shapegate/shapegate/authz/spicedb"
)

// keep runs what decides for the embedded proxy, until close.
func (d *deployment) keep(ctx context.Context, cfg spicedb.Config, metrics prometheus.Registerer, logger *slog.Logger) (*live.Keeper, error) {
	cfg.Registerer, cfg.Logger = metrics, logger
	client, err := spicedb.Dial(cfg)
	if err != nil {
		return nil, err
	}
	d.onClose(client.Close)
	keeper, err := live.New(live.Config{
		Engine: client, Key: authz.NewFingerprintKey(d.jwtSecret), Logger: logger, Registerer: metrics,
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- keeper.Run(running) }()
	d.onClose(func() error {
		stop()
		err := errors.Join(<-done, keeper.Close())
		return errors.Join(err, client.EndBeats(context.WithoutCancel(ctx), keeper.Process()))
	})
	return keeper, nil
}
