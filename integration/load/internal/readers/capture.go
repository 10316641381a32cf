package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/lean"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// capture makes a change, and returns the live answer that brings it, as
// shapegate sends it to one person: what the bare server sends to all.
func (s *site) capture(ctx context.Context) (child.Template, error) {
	token, err := world.Token(s.secret, 0, s.o.limit)
	if err != nil {
		return child.Template{}, err
	}
	first, _, err := s.ask(ctx, token, fromStart)
	if err != nil {
		return child.Template{}, err
	}
	mark := nextMark()
	if _, err := s.rows.Exec(ctx, changeOf(everybody, mark)); err != nil {
		return child.Template{}, err
	}
	h, body, err := s.ask(ctx, token, "offset="+first.Get("Electric-Offset")+"&handle="+first.Get("Electric-Handle")+"&live=true")
	if err != nil {
		return child.Template{}, err
	}
	t := child.Template{Header: make(map[string]string), Body: string(body), Mark: mark}
	for name := range h {
		switch name {
		case "Date", "Content-Length", "Transfer-Encoding": // the server's own
		default:
			t.Header[name] = h.Get(name)
		}
	}
	if world.Changes(body) != 1 {
		return t, fmt.Errorf("a change of a row was answered with %d changes: %.500s", world.Changes(body), body)
	}
	return t, nil
}

// ask makes a request of a person's.
func (s *site) ask(ctx context.Context, token, query string) (http.Header, []byte, error) {
	at := *s.shape
	at.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
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
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return resp.Header, body, err
}
