package electric

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"
)

// Client asks one Electric service. It is safe for concurrent use.
type Client struct {
	endpoint *url.URL // …/v1/shape
	health   string
	secret   string
	http     *http.Client
	anew     *http.Client // uses each connection once
}

// path is where Electric answers requests for shapes.
const path = "/v1/shape"

// Config says where Electric is.
type Config struct {
	URL    string // the service's base: http://electric:3000
	Secret string // ELECTRIC_SECRET; empty for a service that runs without one

	// Transport carries the requests; nil: one with a pool for many waiting requests.
	Transport http.RoundTripper
}

// headerTimeout bounds the time to the headers of an answer that is not live. To make
// the snapshot of a shape is what takes Electric longest.
const headerTimeout = 60 * time.Second

// idleTimeout is how long an unused connection is kept. It is shorter than the 60 s of
// Electric, so that this side closes first and sends nothing into a closing connection.
const idleTimeout = 45 * time.Second

// NewClient returns a client. It connects at the first request.
func NewClient(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("electric: the URL must be http:// or https:// with a host")
	}
	transport := cfg.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns = 0 // no bound: each waiting request has a connection
		t.MaxIdleConnsPerHost = 1024
		t.IdleConnTimeout = idleTimeout
		t.ReadBufferSize = 64 << 10 // answers may be long, and each read is a call
		transport = t
	}
	anew := transport
	if t, ok := transport.(*http.Transport); ok {
		t = t.Clone()
		t.DisableKeepAlives = true
		anew = t
	}
	return &Client{
		endpoint: base.JoinPath(path),
		health:   base.JoinPath("v1", "health").String(),
		secret:   cfg.Secret,
		http:     newHTTPClient(transport),
		anew:     newHTTPClient(anew),
	}, nil
}

func newHTTPClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport,
		// Electric never redirects. A redirect comes from something else, and to
		// follow it would send the secret there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Ready reports whether Electric is up and replicating.
func (c *Client) Ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.health, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return unavailable(ctx, err)
	}
	defer drain(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return &UnavailableError{Status: resp.StatusCode}
	}
	return nil
}

// do sends one request and returns Electric's answer if it is a 200.
//
// Errors are ErrMustRefetch, ErrRefused, a *MisconfiguredError, ErrTooLarge, an
// *UnavailableError, a *ProtocolError, or the context's.
func (c *Client) do(ctx context.Context, method string, query url.Values, body []byte) (*http.Response, error) {
	if c.secret != "" {
		query.Set("secret", c.secret)
	}
	u := *c.endpoint
	u.RawQuery = query.Encode()
	resp, err := c.send(ctx, method, u.String(), body)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer drain(resp.Body)
	switch status := resp.StatusCode; {
	case status == http.StatusConflict:
		return nil, ErrMustRefetch
	case status == http.StatusBadRequest:
		return nil, refusal(resp.Body)
	case status == http.StatusRequestEntityTooLarge, status == http.StatusRequestURITooLong:
		return nil, ErrTooLarge
	case status == http.StatusUnauthorized:
		return nil, protocolErrorf("it refuses the secret: put ELECTRIC_SECRET right")
	case status == http.StatusTooManyRequests, status >= 500:
		return nil, &UnavailableError{Status: status, RetryAfter: retryAfter(resp.Header)}
	default:
		return nil, protocolErrorf("status %d", status)
	}
}

// send sends one request. Electric closes each connection after some requests, without
// notice, and does not answer a request that arrives at that moment. So a request that
// failed on a used connection is sent once more, on a new one. This is safe because
// every request only reads.
func (c *Client) send(ctx context.Context, method, url string, body []byte) (*http.Response, error) {
	used := false
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(conn httptrace.GotConnInfo) { used = conn.Reused },
	})
	resp, err := sendWith(traced, c.http, method, url, body)
	if err == nil || !used || ctx.Err() != nil {
		return resp, err
	}
	return sendWith(ctx, c.anew, method, url, body)
}

func sendWith(ctx context.Context, client *http.Client, method, url string, body []byte) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return client.Do(req)
}

// unavailable returns the error of a failed round trip without its URL, which contains
// the secret.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &UnavailableError{Err: stripURL(err)}
}

func stripURL(err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return urlErr.Err
	}
	return err
}

func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// drain reads what is left of a short body, so that its connection can be used
// again, and closes it.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}
