// Command shapegate-dev runs everything that shapegate needs in one process, for
// a first look and for development: the SpiceDB engine in memory, a store that
// speaks Redis' protocol, a stand-in for Electric with the demo's rows, and the
// proxy in front of them. It prints what it started, tokens for the demo's
// people, and lines to paste.
//
// Each part can be swapped for a real one: ELECTRIC_URL (with ELECTRIC_SECRET),
// SPICEDB_ENDPOINT (with SPICEDB_TOKEN, and SPICEDB_INSECURE or SPICEDB_CA_FILE)
// and REDIS_URL. SHAPEGATE_SHAPES names another file of shapes,
// SHAPEGATE_LISTEN another address, SHAPEGATE_JWT_SECRET the secret that the
// printed tokens are signed with.
//
// It is not for production: its secrets are made up at each start, and its
// controls let anybody on this machine change everything.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/shapegate/shapegate/cmd/internal/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shapegate-dev:", err)
		os.Exit(1)
	}
}

// run runs everything until ctx ends.
func run(ctx context.Context, env func(string) string, out io.Writer) error {
	started := time.Now()
	w, err := newWorld(ctx, env)
	if err != nil {
		return err
	}
	defer w.close()

	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := service.New(ctx, w.config(logger))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	controls := w.serveControls()

	if err := waitReady(ctx, s, done); err != nil {
		return err
	}
	w.guide(out, time.Since(started))
	select {
	case err = <-done:
	case err = <-controls:
	}
	return err
}

// waitReady waits until the service is ready, or has ended.
func waitReady(ctx context.Context, s *service.Service, done <-chan error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.Ready(ctx) != nil {
		select {
		case err := <-done:
			return err
		case <-tick.C:
		}
	}
	return nil
}
