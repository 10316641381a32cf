package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/shapegate/shapegate/authz"
)

// grantsClient is a client of a collection. On demand it begins at the end of the log and
// asks for the rows as a subset.
type grantsClient struct {
	*follower
	w        *grantsWorld
	person   string
	name     string
	onDemand bool
	loaded   bool // on demand: it was sent a subset since it began
	refused  bool // it was answered 403, and dropped its rows
}

func newGrantsClient(w *grantsWorld, person, name string, onDemand bool) *grantsClient {
	c := &grantsClient{follower: w.follow(person, ""), w: w, person: person, name: name, onDemand: onDemand}
	c.path = "/v1/grants/" + name
	c.start()
	return c
}

func (c *grantsClient) String() string {
	return fmt.Sprintf("%s's client of %s (on demand %v)", c.person, c.name, c.onDemand)
}

func (c *grantsClient) start() {
	c.begin()
	c.loaded = !c.onDemand
	if c.onDemand {
		c.offset = "now"
	}
}

// anything has the client read in some way, at some replica, whole or cut.
func (c *grantsClient) anything() error {
	i, cut, url := c.w.r.IntN(2), neverCut, ""
	if url = c.w.urls[i]; c.w.r.IntN(3) == 0 {
		url, cut = c.w.cutters[i], c.w.r.IntN(900)
	}
	way := c.w.r.IntN(4)
	c.w.say("%v reads in way %d at replica %d, cut %d", c, way, i, cut)
	switch {
	case way == 3 && (c.handle != "" || c.onDemand):
		return c.askSubset(url, cut)
	case way == 2 && c.handle != "":
		batches := c.w.r.IntN(3)
		return c.forgiven(c.stream(c.w.context(), url, cut, func() bool { batches--; return batches <= 0 }))
	case way == 1 && c.handle != "":
		return c.readOn(url, "live=true&", cut)
	default:
		return c.readOn(url, "", cut)
	}
}

// readOn reads one answer of the log and, on demand, all rows before that.
func (c *grantsClient) readOn(url, live string, cut int) error {
	if c.onDemand && !c.loaded {
		if err := c.askSubset(url, cut); err != nil || !c.loaded {
			return err
		}
	}
	body, header, err := c.ask(url, live+c.mode()+"offset="+c.offset+c.handled(), cut)
	var list []message
	if err != nil || header == nil || json.Unmarshal(body, &list) != nil {
		return err
	}
	c.apply(list)
	c.adopt(header)
	return nil
}

// askSubset asks for all rows, under the client's handle if it has one.
func (c *grantsClient) askSubset(url string, cut int) error {
	body, header, err := c.ask(url, c.mode()+"offset="+c.offset+c.handled()+"&"+query("subset__where", "true = true"), cut)
	var s subsetAnswer
	if err != nil || header == nil || json.Unmarshal(body, &s) != nil {
		return err
	}
	c.apply(s.Data)
	c.adopt(header)
	c.loaded = true
	return nil
}

func (c *grantsClient) mode() string {
	if c.onDemand {
		return "log=changes_only&"
	}
	return ""
}

func (c *grantsClient) handled() string {
	if c.handle == "" {
		return ""
	}
	return "&handle=" + url.QueryEscape(c.handle)
}

// ask returns a whole answer. The header is nil if there is none, which is no error.
func (c *grantsClient) ask(url, q string, cut int) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(c.w.t.Context(), deadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+c.path+"?"+q, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header = c.header.Clone()
	req.Header.Set("Accept-Encoding", "identity")
	if cut != neverCut {
		req.Header.Set(cutAfter, strconv.Itoa(cut))
	}
	resp, err := c.w.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer closing(resp.Body)
	ok, err := c.status(resp)
	if !ok {
		return nil, nil, c.forgiven(err)
	}
	c.refused = false
	body, err := io.ReadAll(resp.Body)
	if err != nil || !json.Valid(body) {
		if cut == neverCut {
			return nil, nil, fmt.Errorf("%v: not a whole answer: %w: %s", c, err, body)
		}
		return nil, nil, nil
	}
	return body, resp.Header, nil
}

// forgiven is an error that is none for a client: after a 403 it drops its rows, and begins
// anew. That it was told to begin anew otherwise is an error.
func (c *grantsClient) forgiven(err error) error {
	if err != nil && err.Error() == "status 403" {
		c.start()
		c.refused = true
		return nil
	}
	if c.refetch > 0 {
		c.refetch = 0
		c.start()
		if c.name != "office_actions" {
			return fmt.Errorf("%v was told to begin anew", c)
		}
	}
	return err
}

// wasEverTrue is an error if the client was sent a permission that its person never had.
func (c *grantsClient) wasEverTrue() error {
	for id, row := range c.rows {
		var values map[string]string
		if err := json.Unmarshal([]byte(row), &values); err != nil {
			return err
		}
		for _, permission := range guardedCollections[c.name] {
			if values[permission] == "true" && !c.w.ever[c.person+" "+permission+" "+id] {
				return fmt.Errorf("%v was sent %s of %s", c, permission, id)
			}
		}
	}
	return nil
}

func (c *grantsClient) holdsExactlyItsRows() error {
	subject := authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: c.person}}
	open, err := c.w.engine.CheckPermission(c.w.context(), subject, authz.ObjectRef{Type: "workspace", ID: "main"}, "sync", nil)
	if err != nil {
		return err
	}
	if open = open || c.name != "office_actions"; open == c.refused {
		return fmt.Errorf("%v: the gate is open: %v, and it was refused: %v", c, open, c.refused)
	}
	want := make(map[string]string)
	if open {
		want, err = c.w.rowsOf(c.person, guardedCollections[c.name])
	}
	if err == nil && !maps.Equal(want, c.rows) {
		err = fmt.Errorf("%v holds %v, want %v", c, c.rows, want)
	}
	return err
}
