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
	fetchTimeout   = 10 * time.Second // for one fetch of the key set
	maxKeySetBytes = 256 << 10        // of a key server's answer
)

var errKeyServer = errors.New("the key server did not answer properly")

// keyServer is where an issuer publishes its key set.
type keyServer struct {
	url    string
	client *http.Client
}

// fetch gets the key set. Its errors do not contain the URL, whose user info or
// query may be secret.
func (s keyServer) fetch(ctx context.Context) (keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
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
	document, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySetBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyServer, err)
	}
	if len(document) > maxKeySetBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", errKeyServer, maxKeySetBytes)
	}
	set, err := parseKeySet(document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyServer, err)
	}
	return set, nil
}

func withoutURL(err error) error {
	var with *url.Error
	if errors.As(err, &with) {
		err = with.Err
	}
	return fmt.Errorf("%w: %w", errKeyServer, err)
}
