package spicedbtest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"

	"google.golang.org/grpc/test/bufconn"
)

// front stands between clients and the engine, so that the way to the engine can
// be cut while the engine and its data live on. Connections of both kinds, in
// process and over TCP, come through it.
type front struct {
	engine *bufconn.Listener
	tls    *tls.Config

	mu       sync.Mutex
	away     bool // paused or closed: no new connections
	closed   bool
	address  string       // of TCP, "" if there is none
	listener net.Listener // nil while away
	conns    map[*frontConn]struct{}
	flow     chan struct{} // closed unless stalled

	relays sync.WaitGroup // the accept loop and what it started
}

func newFront(engine *bufconn.Listener, config *tls.Config) *front {
	f := &front{engine: engine, tls: config, conns: make(map[*frontConn]struct{}), flow: make(chan struct{})}
	close(f.flow)
	return f
}

// frontConn is a connection to the engine that the front can cut and can stall.
type frontConn struct {
	net.Conn
	front *front

	closing sync.Once
	closed  chan struct{}
}

func (c *frontConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	c.front.mu.Lock()
	delete(c.front.conns, c)
	c.front.mu.Unlock()
	return c.Conn.Close()
}

// Read returns what it has read when the front is not stalled: its reader has
// been waiting since before the stall.
func (c *frontConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if held := c.hold(); held != nil {
		return 0, held
	}
	return n, err
}

func (c *frontConn) Write(p []byte) (int, error) {
	if err := c.hold(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// hold waits while the front is stalled. It fails if the connection is closed
// meanwhile.
func (c *frontConn) hold() error {
	c.front.mu.Lock()
	flow := c.front.flow
	c.front.mu.Unlock()
	select {
	case <-flow:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

var errAway = errors.New("spicedbtest: the server is paused or closed")

func (f *front) dial(ctx context.Context) (net.Conn, error) {
	conn, err := f.engine.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	return f.admit(conn)
}

// admit makes a connection to the engine one that can be cut, unless the server
// is away.
func (f *front) admit(conn net.Conn) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, errors.Join(errAway, conn.Close())
	}
	c := &frontConn{Conn: conn, front: f, closed: make(chan struct{})}
	f.conns[c] = struct{}{}
	return c, nil
}

func (f *front) addr() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.address
}

func (f *front) listen(ctx context.Context, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.address = l.Addr().String()
	if f.tls != nil {
		l = tls.NewListener(l, f.tls)
	}
	f.listener = l
	f.relays.Add(1)
	f.mu.Unlock()
	go func() {
		defer f.relays.Done()
		f.accept(l)
	}()
	return nil
}

// accept ends when its listener is closed.
func (f *front) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		f.relays.Add(1)
		go func() {
			defer f.relays.Done()
			f.relay(client)
		}()
	}
}

// relay ends when either side closes, and closes both.
func (f *front) relay(client net.Conn) {
	defer hangUp(client)
	conn, err := f.engine.Dial()
	if err != nil {
		return
	}
	engine, err := f.admit(conn)
	if err != nil {
		return
	}

	upstream := make(chan struct{})
	go func() {
		defer close(upstream)
		defer hangUp(engine)
		_, _ = io.Copy(engine, client)
	}()
	_, _ = io.Copy(client, engine)
	hangUp(client) // ends the other copy, which hangs up the engine
	<-upstream
}

// hangUp closes what may be closed already.
func hangUp(c io.Closer) { _ = c.Close() }

func (f *front) pause() {
	f.mu.Lock()
	f.away = true
	l := f.listener
	f.listener = nil
	f.mu.Unlock()
	if l != nil {
		hangUp(l)
	}
	f.breakConnections()
}

func (f *front) stall() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flowing() {
		f.flow = make(chan struct{})
	}
}

// flowing reports whether the front is not stalled. The caller holds the lock.
func (f *front) flowing() bool {
	select {
	case <-f.flow:
		return true
	default:
		return false
	}
}

func (f *front) resume() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return errAway
	}
	if !f.flowing() {
		close(f.flow)
	}
	address, paused := f.address, f.away
	f.away = false
	f.mu.Unlock()
	if !paused || address == "" {
		return nil
	}
	return f.listen(context.Background(), address) // resolves nothing any more
}

func (f *front) breakConnections() {
	f.mu.Lock()
	conns := make([]*frontConn, 0, len(f.conns))
	for c := range f.conns {
		conns = append(conns, c)
	}
	f.mu.Unlock()
	for _, c := range conns {
		hangUp(c)
	}
}

// close ends the front for good and waits for its goroutines.
func (f *front) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.pause()
	f.relays.Wait()
}
