package model_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// client reads one view as the official client does: it takes handle and offset of
// an answer when it has read all of it, those of a stream's or a subset's answer at
// once, and begins anew when it is told to.
type client struct {
	view
	o        *oracle
	http     *http.Client
	token    string
	onDemand bool

	roundRobin bool // each request goes to the other replica

	handle, offset, cursor string
	rows                   map[string]row
	fresh                  bool // nothing was read since the last beginning
	loaded                 bool // on demand: a subset was since the last beginning
	refetches              int
	later                  bool // the last answer said to come again later
}

func (c *client) begin() {
	c.handle, c.offset, c.cursor, c.rows, c.fresh = "", "-1", "", make(map[string]row), true
	c.loaded = false
	if c.onDemand {
		c.offset = "now"
	}
}

// refusal is an answer that a client does not go on after as if nothing was.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.body) }

type message struct {
	Value   map[string]*string
	Headers struct {
		Operation, Control string
		LastSeenLSN        string `json:"global_last_seen_lsn"`
	}
}

func (c *client) request(ctx context.Context, base, method string, body io.Reader, more url.Values) (*http.Response, error) {
	q := url.Values{"offset": {c.offset}}
	if c.handle != "" && c.offset != "-1" && c.offset != "now" {
		q.Set("handle", c.handle)
	}
	if c.onDemand {
		q.Set("log", "changes_only")
	}
	for k, v := range more {
		q[k] = v
	}
	req, err := http.NewRequestWithContext(ctx, method, base+"/v1/shapes/"+c.shape.name+"?"+q.Encode(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	c.o.asks(c.view)
	return c.http.Do(req)
}

// read reads once: what is there or, waiting, what comes. With lose, the answer is
// lost on its way.
func (c *client) read(ctx context.Context, base string, wait, lose bool) error {
	more := url.Values{}
	if wait && !c.fresh {
		more.Set("live", "true")
		if c.cursor != "" {
			more.Set("cursor", c.cursor)
		}
	}
	resp, err := c.request(ctx, base, http.MethodGet, nil, more)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var list []message
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusConflict:
		if !lose {
			c.refetches++
			c.begin()
		}
		return nil
	case http.StatusServiceUnavailable:
		c.later = true
		return nil
	case http.StatusOK:
	default:
		return &refusal{resp.StatusCode, string(body)}
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return err
	}
	for _, m := range list {
		if err := c.judge(m); err != nil {
			return fmt.Errorf("%w\n%s", err, body)
		}
		if !lose {
			c.apply(m)
		}
	}
	if lose {
		return nil
	}
	c.adopt(resp.Header)
	c.fresh = false
	return nil
}

func (c *client) adopt(h http.Header) {
	c.o.adopts(c.view)
	c.handle, c.offset = h.Get("Electric-Handle"), h.Get("Electric-Offset")
	if cursor := h.Get("Electric-Cursor"); cursor != "" {
		c.cursor = cursor
	}
}

// judge holds a message against what the client may receive.
func (c *client) judge(m message) error {
	if m.Headers.Control != "" {
		return nil
	}
	id, body := "", ""
	if m.Value["id"] != nil {
		id = *m.Value["id"]
	}
	if m.Value["body"] != nil {
		body = *m.Value["body"]
	}
	return c.o.judge(c.view, id, body)
}

func (c *client) apply(m message) {
	if m.Headers.Control != "" {
		return
	}
	id := *m.Value["id"]
	r, held := c.rows[id]
	switch m.Headers.Operation {
	case "delete":
		delete(c.rows, id)
		return
	case "update":
		if !held {
			return
		}
	}
	if v, ok := m.Value["project"]; ok {
		r.project = ""
		if v != nil {
			r.project = *v
		}
	}
	if v := m.Value["body"]; v != nil {
		r.body = *v
	}
	c.rows[id] = r
}

// stream reads an event stream until it ends, or until lose messages have come.
func (c *client) stream(ctx context.Context, base string, lose int) error {
	resp, err := c.request(ctx, base, http.MethodGet, nil, url.Values{"live": {"true"}, "live_sse": {"true"}})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusConflict:
		c.refetches++
		c.begin()
		return nil
	case http.StatusServiceUnavailable:
		c.later = true
		return nil
	case http.StatusOK:
	default:
		body, _ := io.ReadAll(resp.Body)
		return &refusal{resp.StatusCode, string(body)}
	}
	c.adopt(resp.Header)
	lines := bufio.NewReader(resp.Body)
	var batch []message
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok {
			continue
		}
		if lose--; lose == 0 {
			return nil // the connection breaks
		}
		var m message
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			return err
		}
		if err := c.judge(m); err != nil {
			return fmt.Errorf("stream: %w\n%s", err, data)
		}
		batch = append(batch, m)
		if m.Headers.Control == "up-to-date" {
			for _, m := range batch {
				c.apply(m)
			}
			batch = nil
			c.offset = m.Headers.LastSeenLSN + "_0"
		}
	}
}

// load asks for a subset of everything.
func (c *client) load(ctx context.Context, base string) error {
	resp, err := c.request(ctx, base, http.MethodPost, strings.NewReader(`{"where":"true"}`), nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusServiceUnavailable {
		c.later = true
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &refusal{resp.StatusCode, string(body)}
	}
	var subset struct{ Data []message }
	if err := json.Unmarshal(body, &subset); err != nil {
		return err
	}
	for _, m := range subset.Data {
		if err := c.judge(m); err != nil {
			return fmt.Errorf("subset: %w\n%s", err, body)
		}
		c.apply(m)
	}
	c.adopt(resp.Header)
	c.loaded = true
	return nil
}
