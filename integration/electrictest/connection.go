package electrictest

import (
	"net"
	"net/http"
	"sync"
)

// CloseAfter returns a hook for http.Server.ConnState that closes each connection after n
// answers, without a word: Electric does so after 50. A client that sends its next request
// at that moment gets no answer to it, although the request was never looked at.
func CloseAfter(n int) func(net.Conn, http.ConnState) {
	var mu sync.Mutex
	answers := make(map[net.Conn]int)
	return func(conn net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch state {
		case http.StateIdle: // between two requests
			if answers[conn]++; answers[conn] >= n {
				_ = conn.Close() // the client learns of it
			}
		case http.StateClosed, http.StateHijacked:
			delete(answers, conn)
		}
	}
}
