package server_test

import (
	"net"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/cmd/internal/server"
)

func TestListenNamesTheSetting(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	address := other.Addr().String()
	want := "X_LISTEN (--listen): " + address + " is taken by another program: end that, or give another address with X_LISTEN (--listen)"
	if _, err := server.Listen(t.Context(), "X_LISTEN (--listen)", address); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := server.Listen(t.Context(), "X_LISTEN", "256.0.0.1:1"); err == nil || !strings.HasPrefix(err.Error(), "X_LISTEN: listen tcp: ") {
		t.Errorf("got %v", err)
	}
}
