// Package server runs a gateway behind its listeners, one for clients, one for operators and,
// if wanted, some for servers in front of Electric, and ends all in order.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/shapegate/shapegate/proxy/gateway"
)

// Config says where a gateway is served.
type Config struct {
	Public net.Listener // for clients
	Admin  net.Listener // for operators
	TLS    *tls.Config  // for Public, with HTTP/2; nil: plain text

	// ForwardAuth is for servers in front of Electric that ask over HTTP; nil: there are none.
	ForwardAuth net.Listener

	// ExtAuthz is for Envoy, which asks over gRPC; nil: there is none.
	ExtAuthz net.Listener

	// Handler serves clients; nil: the gateway's own does.
	Handler http.Handler

	// Grace is how long requests that are under way may take to end; 0: 25 s.
	Grace time.Duration

	Logger *slog.Logger
}

const (
	// defaultGrace is less than the 30 s that orchestrators give a process to end.
	defaultGrace = 25 * time.Second

	headerTime = 10 * time.Second

	// idleTime is longer than that of load balancers (60 s at most of them, 350 s and
	// 600 s at some), so that it is they who close a connection that neither side
	// uses. One that is closed here may meet a request on its way.
	idleTime = 620 * time.Second

	maxHeader = 256 << 10 // a subset in a query may have a long where
)

// Run serves the gateway until ctx ends. It then has waiting requests answered, lets
// those that are under way end, and closes the gateway and the listeners. It returns
// nil if ctx ended.
func Run(ctx context.Context, g *gateway.Gateway, cfg Config) error {
	defer func() {
		if err := g.Close(); err != nil {
			cfg.Logger.Warn("closing", "cause", err)
		}
	}()
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.Handler == nil {
		cfg.Handler = g.Handler()
	}
	public, admin, forwardAuth := newServer(cfg.Handler), newServer(g.Admin()), newServer(g.ForwardAuth())
	public.TLSConfig = cfg.TLS
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if cfg.TLS != nil {
			return public.ServeTLS(cfg.Public, "", "")
		}
		return public.Serve(cfg.Public)
	})
	group.Go(func() error { return admin.Serve(cfg.Admin) })
	if cfg.ForwardAuth != nil {
		group.Go(func() error { return forwardAuth.Serve(cfg.ForwardAuth) })
	}
	if cfg.ExtAuthz != nil {
		group.Go(func() error { return serveGRPC(running, g.ExtAuthz(), cfg.ExtAuthz, cfg.Grace) })
	}
	group.Go(func() error { return g.Run(running) })
	group.Go(func() error {
		<-running.Done()
		if err := shutdown(context.WithoutCancel(ctx), cfg.Grace, public, admin, forwardAuth); err != nil {
			cfg.Logger.Warn("requests that did not end in time were cut", "after", cfg.Grace, "cause", err)
		}
		return nil
	})
	err := group.Wait()
	if errors.Is(err, http.ErrServerClosed) || ctx.Err() != nil {
		return nil
	}
	return err
}

func newServer(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // behind a proxy that ends TLS
	return &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
	}
}

// serveGRPC serves until ctx ends. It then lets calls end within grace, and cuts those that do
// not.
func serveGRPC(ctx context.Context, s *grpc.Server, l net.Listener, grace time.Duration) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		cut := time.AfterFunc(grace, s.Stop)
		defer cut.Stop()
		s.GracefulStop()
	})
	err := s.Serve(l)
	if !stop() {
		<-stopped
	}
	return err
}

// shutdown lets requests end within grace, and cuts those that do not.
func shutdown(ctx context.Context, grace time.Duration, servers ...*http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	var errs []error
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, err, server.Close())
		}
	}
	return errors.Join(errs...)
}
