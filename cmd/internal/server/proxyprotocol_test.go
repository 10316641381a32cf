package server

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/proxy/forwarded"
)

// pipeFrom is a connection in this process that comes from an address.
type pipeFrom struct {
	net.Conn
	from net.Addr
}

func (p pipeFrom) RemoteAddr() net.Addr { return p.from }

// A trusted proxy that sends nothing does not hold a connection for ever.
func TestTheHeaderOfAConnectionIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipes{make(chan net.Conn, 1)}
		client, side := net.Pipe()
		defer client.Close()
		l.conns <- pipeFrom{side, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}}
		conn, err := withProxyProtocol(l, forwarded.Proxies{netip.MustParsePrefix("10.0.0.0/8")}).Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begin := time.Now()
		if _, err = conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("it reads, with %v", err)
		}
		if waited := time.Since(begin); waited != headerTime {
			t.Errorf("it waited for %v", waited)
		}
	})
}
