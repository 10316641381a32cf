package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/shapegate/shapegate/integration/prerequisite"
)

// control is what the scripts call to open worlds, to change what is in them, and
// to ask for the truth about them.
type control struct {
	url   string
	redis redisServers

	postgres atomic.Pointer[string] // the URL of an empty database

	mu     sync.Mutex
	worlds map[string]*world
	opened int // ever
}

func newControl(t *testing.T) *control {
	t.Helper()
	c := &control{worlds: make(map[string]*world)}
	c.redis.mini = miniredis.RunT(t).Addr()
	c.redis.real = startRedis(t)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /worlds", answer(c.open))
	mux.HandleFunc("DELETE /worlds/{world}", answer(c.close))
	mux.HandleFunc("POST /worlds/{world}/postgres", answer(c.inPostgres))
	for pattern, f := range map[string]func(*world, *http.Request) (any, error){
		"POST /worlds/{world}/changes":        (*world).change,
		"POST /worlds/{world}/restart":        (*world).restart,
		"POST /worlds/{world}/spicedb/pause":  (*world).pauseSpiceDB,
		"POST /worlds/{world}/spicedb/resume": (*world).resumeSpiceDB,
		"GET /worlds/{world}/truth":           (*world).truth,
		"GET /worlds/{world}/ever":            (*world).everPermitted,
	} {
		mux.HandleFunc(pattern, answer(func(r *http.Request) (any, error) {
			w, err := c.world(r)
			if err != nil {
				return nil, err
			}
			return f(w, r)
		}))
	}
	server := httptest.NewServer(mux)
	c.url = server.URL
	t.Cleanup(func() {
		server.Close()
		for _, w := range c.worlds { // of scripts that were cut off
			_ = w.close()
		}
	})
	return c
}

// answer serves what f returns as JSON. Errors are for readers of the script's
// output, so they are sent as they are.
func answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if v == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

func (c *control) world(r *http.Request) (*world, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.worlds[r.PathValue("world")]
	if !ok {
		return nil, errors.New("no such world")
	}
	return w, nil
}

// open opens a world. Its body says how its parts are reached.
func (c *control) open(r *http.Request) (any, error) {
	var o worldOptions
	if err := readJSON(r, &o); err != nil {
		return nil, err
	}
	w, err := newWorld(r.Context(), o, c.redis)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	id := strconv.Itoa(c.opened)
	c.worlds[id] = w
	return map[string]string{"id": id, "url": w.url()}, nil
}

func (c *control) close(r *http.Request) (any, error) {
	w, err := c.world(r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	delete(c.worlds, r.PathValue("world"))
	c.mu.Unlock()
	return nil, w.close()
}

func readJSON(r *http.Request, v any) error {
	if r.ContentLength == 0 {
		return nil
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// redisServers are the addresses of Redis servers that all worlds share, as
// replicas of a deployment do. A session's key is its token's hash, so they
// cannot meet.
type redisServers struct {
	mini string
	real string // "" where there is no redis-server
}

func (c *control) needRedis(t *testing.T) {
	t.Helper()
	if c.redis.real == "" {
		prerequisite.Missing(t, "redis-server is not installed")
	}
}

// startRedis starts a redis-server that lives as long as the test and keeps
// nothing on disk. It returns "" if there is none to start.
func startRedis(t *testing.T) (address string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return ""
	}
	const attempts = 3 // another process may take the port before Redis does
	for range attempts {
		if address, err = tryRedis(t, path); err == nil {
			return address
		}
	}
	t.Fatal(err)
	return ""
}

func tryRedis(t *testing.T, path string) (address string, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address = l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	if err := l.Close(); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(t.Context(), path, "--bind", "127.0.0.1", "--port", port,
		"--save", "", "--appendonly", "no", "--dir", t.TempDir(), "--logfile", "")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	// The test's context, and with it the server, has ended when this is called.
	t.Cleanup(func() { _ = cmd.Wait() })

	ready := make(chan bool, 1)
	go func() { // ends with the server, whose output it reads to the end
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Ready to accept connections") {
				ready <- true
			}
		}
		close(ready)
	}()
	select {
	case ok := <-ready:
		if !ok {
			return "", errors.New("redis-server ended at once")
		}
		return address, nil
	case <-time.After(10 * time.Second):
		return "", errors.New("redis-server did not become ready")
	}
}
