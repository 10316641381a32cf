package readers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/lean"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// people makes the requests of the world's people.
type people struct {
	secret []byte        // that signs their tokens
	valid  time.Duration // of a token: as long as everything may take
	gzip   bool
}

// headersOf are those of a person's requests, to shapegate or to Electric.
func (p *people) headersOf(person int) ([]string, error) {
	token, err := world.Token(p.secret, person, p.valid)
	if err != nil {
		return nil, err
	}
	headers := []string{"Authorization: Bearer " + token}
	if p.gzip {
		headers = append(headers, "Accept-Encoding: gzip")
	}
	return headers, nil
}

// ask makes one request of a person's, apart from those that are measured, and returns
// the answer, whatever its status, with its body read and not compressed.
func (p *people) ask(ctx context.Context, person int, at *url.URL, query string) (*http.Response, []byte, error) {
	token, err := world.Token(p.secret, person, p.valid)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, lean.WithQuery(at, query).String(), http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, lean.MostBody))
	return resp, body, err
}

// read is ask where only one status is right.
func (p *people) read(ctx context.Context, person int, at *url.URL, query string) (http.Header, []byte, error) {
	resp, body, err := p.ask(ctx, person, at, query)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, errors.New(resp.Status)
	}
	return resp.Header, body, nil
}
