// Package serve is what the load tool's children serve: the world behind a
// shapegate, a shapegate, and two servers to compare it with.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shapegate/shapegate/integration/load/internal/child"
)

// process is a child: its servers, and what ends with it.
type process struct {
	hello   child.Hello
	servers []*http.Server
	group   errgroup.Group
	closers []func() error
}

// serve serves at a port of this machine alone, until close, and returns the URL.
func (p *process) serve(ctx context.Context, h http.Handler) (url string, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: h, Protocols: protocols, ReadHeaderTimeout: time.Minute}
	p.servers = append(p.servers, server)
	p.group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return "http://" + l.Addr().String(), nil
}

// run says where the child serves, and waits until its standard input ends.
func (p *process) run(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := json.NewEncoder(out).Encode(p.hello); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}

// close ends the servers, and then, in the opposite order, what was started.
func (p *process) close() error {
	var errs []error
	for _, server := range p.servers {
		errs = append(errs, server.Close())
	}
	errs = append(errs, p.group.Wait())
	for _, f := range slices.Backward(p.closers) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
