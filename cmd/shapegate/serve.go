package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/cmd/internal/server"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

func newServeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve shapes",
		Long: `Serve shapes to clients until the process gets SIGINT or SIGTERM; then answer
the requests that wait for a change, and finish those that are under way.

SpiceDB, Electric or Redis being away at the start delays readiness (/readyz on
the admin address) and does not end the process, and neither do shape definitions
that do not fit SpiceDB's schema or Electric's tables: /readyz and the log name
them. Shape definitions that are wrong by themselves end it.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			shapes, err := loadShapes(s.ShapesFile)
			if err != nil {
				return reject(cmd, err)
			}
			if err := s.require("ELECTRIC_URL", "SPICEDB_ENDPOINT", "SPICEDB_TOKEN", "SHAPEGATE_JWT_SECRET|SHAPEGATE_JWKS_URL"); err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: s.LogLevel}))
			slog.SetDefault(log)
			return serve(cmd.Context(), s, shapes, log)
		},
	}
}

func serve(ctx context.Context, s *settings, shapes schema.File, log *slog.Logger) (err error) {
	stopTracing, err := startTracing(ctx)
	if err != nil {
		return &exitError{exitNoAnswer, fmt.Errorf("tracing: %w", err)}
	}
	defer func() { err = errors.Join(err, stopTracing(context.WithoutCancel(ctx))) }()

	secure, err := tlsConfig(s.TLSCertFile, s.TLSKeyFile)
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	public, err := server.Listen(ctx, spell([]string{"SHAPEGATE_LISTEN"}), s.Listen)
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	defer closeListener(public)
	admin, err := server.Listen(ctx, spell([]string{"SHAPEGATE_ADMIN_LISTEN"}), s.AdminListen)
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	defer closeListener(admin)

	forwardAuth, err := listenIfSet(ctx, "SHAPEGATE_FORWARD_AUTH_LISTEN", s.ForwardAuth)
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	defer closeListener(forwardAuth)
	extAuthz, err := listenIfSet(ctx, "SHAPEGATE_EXT_AUTHZ_LISTEN", s.ExtAuthz)
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	defer closeListener(extAuthz)

	g, err := gateway.New(s.gatewayConfig(shapes, log))
	if err != nil {
		return &exitError{exitNoAnswer, err}
	}
	log.Info("serving", "listen", public.Addr().String(), "admin", admin.Addr().String(), "shapes", len(shapes.Shapes), "grants", len(shapes.Grants), "sessions", s.RedisURL != "",
		"forward_auth", addressOf(forwardAuth), "ext_authz", addressOf(extAuthz), "gatekeeper", s.Gateway.Gatekeeper.KeyFile != "")
	return server.Run(ctx, g, server.Config{Public: public, Admin: admin, ForwardAuth: forwardAuth, ExtAuthz: extAuthz, TLS: secure, Logger: log})
}

// tlsConfig returns the certificate to serve with, or nil if there is to be none.
func tlsConfig(certFile, keyFile string) (*tls.Config, error) {
	if certFile == "" {
		return nil, nil //nolint:nilnil // plain text
	}
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("SHAPEGATE_TLS_CERT_FILE, SHAPEGATE_TLS_KEY_FILE: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, nil
}

// listenIfSet listens at the address of a setting; the listener is nil if there is none.
func listenIfSet(ctx context.Context, setting, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // not wanted
	}
	return server.Listen(ctx, spell([]string{setting}), address)
}

// addressOf is where a listener listens; empty if there is none.
func addressOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// closeListener closes a listener, if there is one, that a server may have closed before.
func closeListener(l net.Listener) {
	if l != nil {
		_ = l.Close()
	}
}
