package feed_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

// log is an upstream with one log in memory, which a test writes to and breaks. It
// answers as the recordings do.
type log struct {
	mu       sync.Mutex
	changed  chan struct{} // closed, and replaced, at each change
	life     int           // of the handle
	messages []message
	end      electric.Offset
	tx       int
	err      error  // every request fails
	body     string // every request for messages is answered with it

	asked []electric.LogRequest
	held  int
	most  int // of those that were held at once
}

type message struct {
	offset electric.Offset
	raw    string
}

func newLog() *log {
	return &log{changed: make(chan struct{}), life: 1, tx: 700, end: offset("100_0")}
}

func offset(s string) electric.Offset {
	o, err := electric.ParseOffset(s)
	if err != nil {
		panic(err)
	}
	return o
}

const schemaHeader = `{"id":{"type":"text","pk_index":0},"project":{"type":"text"}}`

func (l *log) handle() string { return fmt.Sprintf("1-%d", l.life) }

// change changes the log, and wakes the requests that wait for it.
func (l *log) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	close(l.changed)
	l.changed = make(chan struct{})
}

// write writes inserts of rows, all in one transaction.
func (l *log) write(ids ...string) {
	l.change(func() {
		l.tx++
		lsn := l.end.LSN() + 10
		for i, id := range ids {
			at := offset(fmt.Sprintf("%d_%d", lsn, i))
			l.messages = append(l.messages, message{at, fmt.Sprintf(
				`{"key":"\"public\".\"docs\"/\"%s\"","value":{"id":"%s"},"headers":{"operation":"insert","relation":["public","docs"],"lsn":"%d","op_position":%d,"txids":[%d]}}`,
				id, id, lsn, i, l.tx)})
			l.end = at
		}
	})
}

// rotate makes the log another one.
func (l *log) rotate() {
	l.change(func() {
		l.life++
		l.messages, l.end = nil, offset("0_0")
	})
}

func (l *log) fail(err error) { l.change(func() { l.err = err }) }

// mostHeld returns how many live requests waited at once, at most, and how many do.
func (l *log) mostHeld() (most, now int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.most, l.held
}

func (l *log) requests() []electric.LogRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]electric.LogRequest(nil), l.asked...)
}

const electricWaits = 20 * time.Second

// ReadLog implements feed.Upstream.
func (l *log) ReadLog(ctx context.Context, _ *electric.LogSpec, r electric.LogRequest) (*electric.LogResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, r)
	if r.Live {
		l.held++
		l.most = max(l.most, l.held)
		defer func() { l.held-- }()
	}
	timeout := time.After(electricWaits)
	for {
		over := false
		switch {
		case l.err != nil:
			return nil, l.err
		case r.Offset == electric.Now:
			return l.answer(nil, r.Live), nil
		case r.Offset == electric.BeforeAll:
			return l.answer(l.messages, false), nil
		case r.Handle != l.handle():
			return nil, electric.ErrMustRefetch
		case l.body != "":
			resp := l.answer(nil, r.Live)
			resp.MessageReader = electric.NewMessageReader(io.NopCloser(strings.NewReader(l.body)))
			return resp, nil
		}
		var after []message
		for _, m := range l.messages {
			if m.offset.Compare(r.Offset) > 0 {
				after = append(after, m)
			}
		}
		if len(after) > 0 || !r.Live {
			return l.answer(after, r.Live), nil
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-timeout:
			over = true
		case <-ctx.Done():
		}
		l.mu.Lock()
		if over {
			return l.answer(nil, true), nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

func (l *log) answer(messages []message, live bool) *electric.LogResponse {
	var b bytes.Buffer
	b.WriteByte('[')
	for _, m := range messages {
		b.WriteString(m.raw + ",")
	}
	fmt.Fprintf(&b, `{"headers":{"control":"up-to-date","global_last_seen_lsn":"%d"}}]`, l.end.LSN())
	resp := &electric.LogResponse{
		Handle: l.handle(), Offset: l.end, UpToDate: true, Cursor: "7",
		MessageReader: electric.NewMessageReader(io.NopCloser(&b)),
	}
	if !live {
		resp.Schema, _ = electric.ParseSchema(schemaHeader)
	}
	return resp
}
