package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/shapegate/shapegate/cmd/internal/server"
	"github.com/shapegate/shapegate/proxy/forwarded"
)

// remote answers with the address that a request comes from, and its protocol.
var remote = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s by %s", r.RemoteAddr, r.Proto)
})

func trusting(t *testing.T, list string) forwarded.Proxies {
	t.Helper()
	p, err := forwarded.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// headerOf is a header of the PROXY protocol for a client at 198.51.100.1:4711.
func headerOf(t *testing.T, version byte) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 4711}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443})
	text, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ask sends a header and a request over a new connection, and returns the answer's status
// and body; 0 if the connection was closed without one.
func ask(t *testing.T, at net.Listener, header string, secure bool) (status int, body string) {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", at.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, header); err != nil {
		t.Fatal(err)
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return 0, ""
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil && resp.StatusCode == http.StatusOK {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestConnectionsOfTrustedProxiesSayWhoseTheyAre(t *testing.T) {
	public := listen(t)
	r := start(t, server.Config{Public: public, Admin: listen(t), Handler: remote, ProxyProtocol: trusting(t, "127.0.0.1")})
	for _, version := range []byte{1, 2} {
		if status, body := ask(t, public, headerOf(t, version), false); status != http.StatusOK || body != "198.51.100.1:4711 by HTTP/1.1" {
			t.Errorf("version %d: %d %s", version, status, body)
		}
	}
	local, err := proxyproto.HeaderProxyFromAddrs(2, nil, nil).Format() // a health check of the balancer's own
	if err != nil {
		t.Fatal(err)
	}
	if status, body := ask(t, public, string(local), false); status != http.StatusOK || !strings.HasPrefix(body, "127.0.0.1:") {
		t.Errorf("LOCAL: %d %s", status, body)
	}
	for _, header := range []string{"", "PROXY TCP4 nonsense\r\n", "PROXY TCP4 198.51.100.1 192.0.2.1 4711\r\n", headerOf(t, 2)[:14] + "\xff\xff"} {
		if status, body := ask(t, public, header, false); status != 0 {
			t.Errorf("%q: %d %s", header, status, body)
		}
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

// Of others the header is a bad request, and no word about who they are.
func TestConnectionsOfOthersSayNothing(t *testing.T) {
	for name, trusted := range map[string]forwarded.Proxies{"others": trusting(t, "10.0.0.0/8"), "none": nil} {
		public := listen(t)
		r := start(t, server.Config{Public: public, Admin: listen(t), Handler: remote, ProxyProtocol: trusted})
		if status, body := ask(t, public, "", false); status != http.StatusOK || !strings.HasPrefix(body, "127.0.0.1:") {
			t.Errorf("%s: %d %s", name, status, body)
		}
		for _, version := range []byte{1, 2} {
			if status, body := ask(t, public, headerOf(t, version), false); status != http.StatusBadRequest && status != 0 { // 0: it was closed before that was read
				t.Errorf("%s: version %d: %d %s", name, version, status, body)
			}
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	}
}

// The header comes before TLS.
func TestTheHeaderOfAConnectionIsInPlainText(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	public := listen(t)
	start(t, server.Config{
		Public: public, Admin: listen(t), Handler: remote, ProxyProtocol: trusting(t, "127.0.0.1"),
		TLS: &tls.Config{Certificates: certificate.TLS.Certificates, MinVersion: tls.VersionTLS12},
	})
	if status, body := ask(t, public, headerOf(t, 2), true); status != http.StatusOK || body != "198.51.100.1:4711 by HTTP/1.1" {
		t.Errorf("%d %s", status, body)
	}
}

// A proxy that ends TLS speaks HTTP/2 in plain text, with or without the PROXY protocol.
func TestHTTP2IsSpokenInPlainText(t *testing.T) {
	for _, header := range []string{"", headerOf(t, 1)} {
		public := listen(t)
		cfg := server.Config{Public: public, Admin: listen(t), Handler: remote}
		want := "127.0.0.1:"
		if header != "" {
			cfg.ProxyProtocol, want = trusting(t, "127.0.0.0/8"), "198.51.100.1:"
		}
		start(t, cfg)
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				_, err = io.WriteString(conn, header)
			}
			return conn, err
		}}
		t.Cleanup(transport.CloseIdleConnections)
		resp, err := (&http.Client{Transport: transport}).Get("http://" + public.Addr().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !strings.HasPrefix(string(body), want) || !strings.HasSuffix(string(body), "HTTP/2.0") {
			t.Errorf("%s, %v", body, err)
		}
	}
}
