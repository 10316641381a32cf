package lean

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Streams makes requests over HTTP/2 without TLS, so that many requests share a connection,
// and an open file, as those of a browser do. It costs more than a Conn. It is safe for
// concurrent use.
type Streams struct{ transport *http.Transport }

// NewStreams returns Streams without a connection. The caller must Close them.
func NewStreams() *Streams {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &Streams{&http.Transport{Protocols: protocols}}
}

// Get makes a request, and reads all of its answer. Extra headers are as for Request.
func (s *Streams) Get(ctx context.Context, base *url.URL, query string, headers []string, a *Answer) error {
	ctx, cancel := context.WithTimeout(ctx, longestAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, WithQuery(base, query).String(), http.NoBody)
	if err != nil {
		return err
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	h := resp.Header
	*a = Answer{
		Status: resp.StatusCode, Handle: a.Handle, Offset: a.Offset, Cursor: a.Cursor,
		UpToDate: h.Values("Electric-Up-To-Date") != nil, First: time.Now(),
	}
	for name, to := range map[string]*string{"Electric-Handle": &a.Handle, "Electric-Offset": &a.Offset, "Electric-Cursor": &a.Cursor} {
		if value := h.Get(name); value != "" {
			*to = value
		}
	}
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, MostBody))
	a.At = time.Now()
	return err
}

// WithQuery returns a URL with more in its query.
func WithQuery(base *url.URL, query string) *url.URL {
	at := *base
	at.RawQuery = strings.TrimPrefix(at.RawQuery+"&"+query, "&")
	return &at
}

// Close closes the connections that no request uses.
func (s *Streams) Close() { s.transport.CloseIdleConnections() }
