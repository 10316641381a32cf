package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	fetchTimeout  = 10 * time.Second // for one fetch of the key set, discovery included
	maxAnswerSize = 256 << 10        // of a key server's answer, in bytes
)

var errKeyServer = errors.New("the key server did not answer properly")

// keyServer is where an issuer publishes its key set.
type keyServer struct {
	url    string // of the key set; empty: it is discovered
	issuer string
	client *http.Client
}

func newKeyServer(cfg Config) keyServer {
	return keyServer{url: cfg.JWKSURL, issuer: cfg.Issuer, client: withTLSKept(cfg.HTTPClient)}
}

var errWithoutTLS = errors.New("it redirects to a URL without TLS")

// withTLSKept returns a client that follows no redirect from TLS to a URL without it: whoever
// answers there could redirect to keys of their own, over TLS again.
func withTLSKept(c *http.Client) *http.Client {
	kept := *c
	kept.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		const most = 10 // as of net/http
		switch {
		case via[0].URL.Scheme == "https" && next.URL.Scheme != "https":
			return errWithoutTLS
		case c.CheckRedirect != nil:
			return c.CheckRedirect(next, via)
		case len(via) >= most:
			return errors.New("it redirects too often")
		}
		return nil
	}
	return &kept
}

// FetchKeys fetches the issuer's key set once, as a Verifier does, to find out whether it
// can be had. Without JWKSURL and Discover there is nothing to fetch. Errors are Invalid
// where the configuration is wrong; of the others IsWrongDocument tells which are no matter
// of the issuer's being away. None contains the URL of the key set.
func (c Config) FetchKeys(ctx context.Context) error {
	c, err := c.withDefaults()
	if err != nil || len(c.Secret) > 0 {
		return err
	}
	_, err = newKeyServer(c).fetch(ctx)
	return err
}

// fetch gets the key set. Its errors do not contain the URL, whose user info or
// query may be secret.
func (s keyServer) fetch(ctx context.Context) (keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	at := s.url
	if at == "" {
		var err error
		if at, err = s.discover(ctx); err != nil {
			return nil, err
		}
	}
	document, err := s.get(ctx, at)
	if err != nil {
		return nil, err
	}
	set, err := parseKeySet(document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyServer, err)
	}
	return set, nil
}

// get reads a JSON document.
func (s keyServer) get(ctx context.Context, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", errKeyServer, resp.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerSize+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyServer, err)
	}
	if len(document) > maxAnswerSize {
		return nil, fmt.Errorf("%w: more than %d bytes", errKeyServer, maxAnswerSize)
	}
	return document, nil
}

func withoutURL(err error) error {
	var with *url.Error
	if errors.As(err, &with) {
		err = with.Err
	}
	return fmt.Errorf("%w: %w", errKeyServer, err)
}
