package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/cmd/internal/service"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/schema"
)

func newServeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve shapes",
		Long: `Serve shapes to clients until the process is told to end; then answer what is
being held, and finish what is under way.

SpiceDB, Electric or Redis being away at the start delays readiness (/readyz on
the admin address) and does not end the process. Shape definitions that are
wrong by themselves do.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			shapes, err := schema.Load(s.ShapesFile)
			if err != nil {
				return reject(cmd, err)
			}
			if err := s.require("ELECTRIC_URL", "SPICEDB_ENDPOINT", "SPICEDB_TOKEN"); err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			slog.SetDefault(log)
			return serve(cmd.Context(), s, shapes, log)
		},
	}
}

func serve(ctx context.Context, s *settings, shapes []schema.Shape, log *slog.Logger) (err error) {
	stopTracing, err := startTracing(ctx)
	if err != nil {
		return &exitError{exitNoAnswer, fmt.Errorf("tracing: %w", err)}
	}
	defer func() { err = errors.Join(err, stopTracing(context.WithoutCancel(ctx))) }()

	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return &exitError{exitNoAnswer, fmt.Errorf("SHAPEGATE_LISTEN: %w", err)}
	}
	defer closeListener(listener)
	admin, err := lc.Listen(ctx, "tcp", s.AdminListen)
	if err != nil {
		return &exitError{exitNoAnswer, fmt.Errorf("SHAPEGATE_ADMIN_LISTEN: %w", err)}
	}
	defer closeListener(admin)

	svc, err := service.New(ctx, service.Config{
		Shapes:   shapes,
		SpiceDB:  s.spicedbConfig(),
		Electric: electric.Config{URL: s.ElectricURL, Secret: s.ElectricSecret.reveal()},
		Identity: identity.Config{
			Secret:       []byte(s.JWTSecret.reveal()),
			JWKSURL:      s.JWKSURL,
			Issuer:       s.JWTIssuer,
			Audience:     s.JWTAudience,
			SubjectClaim: s.SubjectClaim,
			SubjectType:  s.SubjectType,
			Logger:       log,
		},
		RedisURL:     s.RedisURL.reveal(),
		SessionTTL:   s.SessionTTL,
		MaxStaleness: s.MaxStaleness,
		Feeds:        feed.Config{Feeds: s.MaxFeeds, PerSubject: s.MaxFeedsPerSubject, Memory: s.FeedMemory << 20},
		Waiting:      s.MaxWaiting,

		WaitingPerSubject: s.MaxWaitingPerSubject,

		Secret:        s.handleSecret(log),
		CORSOrigins:   s.CORSOrigins,
		Listener:      listener,
		AdminListener: admin,
		TLSCertFile:   s.TLSCertFile,
		TLSKeyFile:    s.TLSKeyFile,
		Logger:        log,
	})
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	log.Info("serving", "listen", listener.Addr().String(), "admin", admin.Addr().String(), "shapes", len(shapes), "sessions", s.RedisURL != "")
	return svc.Run(ctx)
}

// closeListener closes a listener that a server may have closed before.
func closeListener(l net.Listener) { _ = l.Close() }

// handleSecret is what keys the handles that clients hold: the one that was set
// for it, or the one of the tokens, from which keys of its own are derived. With
// neither, handles hold as long as this process: after a restart, and at another
// replica, clients begin anew.
func (s *settings) handleSecret(log *slog.Logger) []byte {
	switch {
	case s.Secret != "":
		return []byte(s.Secret.reveal())
	case s.JWTSecret != "":
		return []byte(s.JWTSecret.reveal())
	}
	log.Warn("SHAPEGATE_SECRET is not set: clients begin anew after a restart, and whenever they meet another replica")
	return []byte(rand.Text() + rand.Text())
}
