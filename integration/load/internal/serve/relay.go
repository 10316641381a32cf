package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// Relay serves a reverse proxy to an Electric, with a request there for each
// request of a client and no decision: what stands before Electric where there is
// nothing else.
func Relay(ctx context.Context, in io.Reader, out io.Writer, electric *url.URL) (err error) {
	p := &process{}
	defer func() { err = errors.Join(err, p.close()) }()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, mostIdle
	transport.IdleConnTimeout = time.Minute
	p.closers = append(p.closers, func() error { transport.CloseIdleConnections(); return nil })
	relay := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(electric)
			r.Out.Header.Del("Authorization")
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	var held atomic.Int64
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held.Add(1)
		defer held.Add(-1)
		relay.ServeHTTP(w, r)
	})
	if p.hello.URL, err = p.serve(ctx, front); err != nil {
		return err
	}
	control := http.NewServeMux()
	control.HandleFunc("GET /held", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(held.Load()) })
	control.HandleFunc("GET /usage", serveUsage)
	if p.hello.Control, err = p.serve(ctx, control); err != nil {
		return err
	}
	return p.run(ctx, in, out)
}

// mostIdle is as many connections as there may be clients: none is closed that
// the next request could use.
const mostIdle = 100_000
