package lean

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

func TestRequestsShareConnections(t *testing.T) {
	const clients = 20
	var connections atomic.Int64
	var all sync.WaitGroup
	all.Add(clients) // each request but the first is answered when all are there
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("offset") == "-1" {
			all.Done()
			all.Wait()
		}
		w.Header().Set("Electric-Handle", r.Header.Get("Authorization"))
		w.Header().Set("Electric-Offset", "3_4")
		w.Header().Set("Electric-Up-To-Date", "")
		fmt.Fprint(w, r.Proto+" "+r.URL.String())
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	base, err := url.Parse(server.URL + "/v1/shape?shape=1")
	if err != nil {
		t.Fatal(err)
	}
	s := NewStreams()
	defer s.Close()
	// Without a connection yet, requests at the same time may each open one.
	if err := s.Get(t.Context(), base, "offset=now", nil, new(Answer)); err != nil {
		t.Fatal(err)
	}
	var reads sync.WaitGroup
	for i := range clients {
		reads.Go(func() {
			var a Answer
			if err := s.Get(t.Context(), base, "offset=-1", []string{fmt.Sprintf("Authorization: Bearer %d", i)}, &a); err != nil {
				t.Error(err)
				return
			}
			if got, want := string(a.Body), "HTTP/2.0 /v1/shape?shape=1&offset=-1"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if a.Status != 200 || a.Handle != fmt.Sprintf("Bearer %d", i) || a.Offset != "3_4" || !a.UpToDate || a.First.IsZero() || a.First.After(a.At) {
				t.Errorf("%+v", a)
			}
		})
	}
	reads.Wait()
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for %d requests", n, clients)
	}
}
