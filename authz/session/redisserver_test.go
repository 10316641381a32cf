package session_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/integration/prerequisite"
)

// backend is something that speaks the Redis protocol and can go away.
type backend struct {
	url     string
	advance func(time.Duration)
	stop    func()
	start   func() // again, after stop; empty
}

// backends are the store of shapegate-dev, in this process, and a real
// redis-server.
var backends = map[string]func(*testing.T) backend{
	"miniredis":    startMiniredis,
	"redis-server": startRedisServer,
}

func startMiniredis(t *testing.T) backend {
	t.Helper()
	m := miniredis.RunT(t)
	return backend{
		url:     "redis://" + m.Addr(),
		advance: m.FastForward,
		stop:    func() { m.FlushAll(); m.Close() },
		start: func() {
			if err := m.Restart(); err != nil {
				t.Fatalf("restart miniredis: %v", err)
			}
		},
	}
}

// redisProgram returns the path of redis-server. Without one on PATH the test is
// skipped, or fails where nothing may be skipped.
func redisProgram(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		prerequisite.Missing(t, err)
	}
	return program
}

// startRedisServer starts a redis-server of its own on a unix socket.
func startRedisServer(t *testing.T) backend {
	t.Helper()
	program := redisProgram(t)
	// A socket's path may have about a hundred characters, and t.TempDir's has
	// the test's name in it.
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // too long, see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")

	var server *exec.Cmd
	stop := func() {
		if server != nil {
			_ = server.Process.Kill()
			_ = server.Wait()
			server = nil
		}
	}
	t.Cleanup(stop)
	start := func() {
		_ = os.Remove(socket) // which a killed server leaves behind
		server = exec.Command(program, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no")
		if err := server.Start(); err != nil {
			t.Fatalf("start redis-server: %v", err)
		}
		client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
		defer func() { _ = client.Close() }()
		eventually(t, func() error { return client.Ping(t.Context()).Err() })
	}
	start()
	return backend{
		url:     "unix://" + socket,
		advance: func(d time.Duration) { <-time.After(d) },
		stop:    stop,
		start:   start,
	}
}

// eventually tries until there is no error, for ten seconds.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("still failing: %v", err)
		case <-again.C:
		}
	}
}

func dial(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := session.Dial(session.RedisConfig{URL: url})
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
