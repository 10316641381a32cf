// Command shapegate-dev runs everything that shapegate needs in one process, for
// a first look and for development: the SpiceDB engine in memory, a store that
// speaks Redis' protocol, a stand-in for Electric with the demo's rows, and the
// proxy in front of them, with the demo's page and its backend. It prints what it
// started, tokens for the demo's people, lines to paste, and the page's URL.
//
// Flags replace the demo by a schema, relationships, rows and shapes of your own,
// and serve HTTPS; see --help. Each part can be swapped for a real one: ELECTRIC_URL
// (with ELECTRIC_SECRET, and DATABASE_URL for the demo's page to write to),
// SPICEDB_ENDPOINT (with SPICEDB_TOKEN, and SPICEDB_INSECURE or SPICEDB_CA_FILE) and
// REDIS_URL.
//
// The secret that tokens are signed with is made at the first start and kept in the
// user's cache folder, so that tokens and handles hold across restarts;
// SHAPEGATE_JWT_SECRET is another.
//
// It is not for production: its controls let everybody on this machine change
// everything.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/cmd/internal/server"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process as it is
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shapegate-dev:", err)
		os.Exit(1)
	}
}

// grace is how long requests that are under way may take at the end. Those that wait
// for a change are answered at once.
const grace = time.Second

// run runs everything until ctx ends.
func run(ctx context.Context, args, variables []string, out, errs io.Writer) error {
	started := time.Now()
	o, err := parseOptions(args, variables, out, errs)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	logger := newLogger(errs, o.verbose)
	w, err := newWorld(ctx, o)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer w.close()
	g, err := gateway.New(w.config(logger))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handler, err := w.handler(ctx, g, logger)
	if err != nil {
		return errors.Join(err, g.Close())
	}
	done := make(chan error, 1)
	go func() {
		done <- server.Run(ctx, g, server.Config{
			Public: w.listener, Admin: w.adminListener, TLS: w.tlsConfig, Handler: handler, Grace: grace, Logger: logger,
		})
	}()
	ready := untilReady(ctx, g, w.isEmbedded)
	controls := w.serveControls()
	for {
		select {
		case err := <-ready:
			if err != nil {
				cancel()
				return errors.Join(err, <-done)
			}
			guide{w, out}.print(time.Since(started))
			ready = nil
		case err := <-done:
			return err
		case err := <-controls:
			cancel()
			return errors.Join(err, <-done)
		}
	}
}

// unlessEnded drops an error that the end of ctx has caused.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// untilReady asks until the gateway is ready, and then sends nil. It sends an error if the
// gateway will never be: the shapes do not fit the tables, or an embedded SpiceDB's schema,
// which nobody else will mend. It ends with ctx, and then sends nothing.
func untilReady(ctx context.Context, g *gateway.Gateway, isEmbedded bool) <-chan error {
	ready := make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			err := g.Ready(ctx)
			var ofTable schema.Finding
			var ofSchema *schema.Error
			if err == nil || errors.As(err, &ofTable) || isEmbedded && errors.As(err, &ofSchema) {
				ready <- err
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return ready
}
