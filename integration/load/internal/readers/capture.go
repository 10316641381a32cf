package readers

import (
	"context"
	"fmt"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// capture makes a change, and returns the live answer that brings it, as
// shapegate sends it to one person: what the bare server sends to all.
func (s *site) capture(ctx context.Context) (child.Template, error) {
	first, _, err := s.people.read(ctx, 0, s.gate.shape, fromStart)
	if err != nil {
		return child.Template{}, err
	}
	mark := nextMark()
	if _, err := s.stores.rows.Exec(ctx, changeOf(everybody, mark)); err != nil {
		return child.Template{}, err
	}
	h, body, err := s.people.read(ctx, 0, s.gate.shape, "offset="+first.Get("Electric-Offset")+"&handle="+first.Get("Electric-Handle")+"&live=true")
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
