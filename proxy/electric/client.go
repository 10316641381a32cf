package electric

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
}

// Config says where Electric is.
type Config struct {
	URL    string // the service's base: http://electric:3000
	Secret string // ELECTRIC_SECRET; empty for a service that runs without one

	// Transport carries the requests; nil means one with a pool that is large
	// enough for many waiting requests.
	Transport http.RoundTripper
}

// headerTimeout bounds how long Electric may take to begin an answer that it
// should not hold back. Creating a shape's snapshot is the slowest of these.
const headerTimeout = 60 * time.Second

// NewClient returns a client. It connects at the first request.
func NewClient(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("electric: the URL must be http:// or https:// with a host")
	}
	transport := cfg.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns = 0 // no bound: one connection per waiting request
		t.MaxIdleConnsPerHost = 1024
		t.IdleConnTimeout = 60 * time.Second
		t.ReadBufferSize = 64 << 10 // answers may be long, and each read is a call
		transport = t
	}
	return &Client{
		endpoint: base.JoinPath("v1", "shape"),
		health:   base.JoinPath("v1", "health").String(),
		secret:   cfg.Secret,
		http: &http.Client{
			Transport: transport,
			// Electric never redirects; whoever answers with one is not Electric,
			// and must not be sent on with the secret in its URL.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
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
// Errors are ErrMustRefetch, ErrRefused, ErrTooLarge, an *UnavailableError, a
// *ProtocolError, or the context's.
func (c *Client) do(ctx context.Context, method string, query url.Values, body []byte) (*http.Response, error) {
	if c.secret != "" {
		query.Set("secret", c.secret)
	}
	u := *c.endpoint
	u.RawQuery = query.Encode()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), reader)
	if err != nil {
		return nil, fmt.Errorf("electric: build request: %w", stripURL(err))
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
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
		return nil, ErrRefused
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

// unavailable turns a failed round trip into an error without the URL in it: the
// URL carries the secret.
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
