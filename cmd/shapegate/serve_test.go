package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

// served is shapegate serve while it runs, by its log.
type served struct {
	t    *testing.T
	log  chan string // its lines
	stop context.CancelFunc
	code chan int
}

func startServe(t *testing.T, env map[string]string) *served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	s := &served{t: t, log: make(chan string, 1000), stop: stop, code: make(chan int, 1)}
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	go func() {
		s.code <- run(ctx, []string{"serve"}, environ, strings.NewReader(""), io.Discard, in)
		_ = in.Close()
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(s.log)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.log <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		stop()
		for range s.log {
		}
		<-ended
	})
	return s
}

// says reads the log up to a message.
func (s *served) says(msg string) (line map[string]any) {
	s.t.Helper()
	for text := range s.log {
		line = nil
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			s.t.Fatalf("%v: %s", err, text)
		}
		if line["msg"] == msg {
			return line
		}
	}
	s.t.Fatalf("it never says %q", msg)
	return nil
}

// The client is told little, and the log of level debug says why a request was refused.
func TestServeLogsWhyARequestWasRefused(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	tables := electrictest.New(electrictest.Options{})
	t.Cleanup(tables.Close)
	if _, err := tables.Exec(demo.SQL); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(tables)
	t.Cleanup(upstream.Close)
	for name, value := range map[string]string{
		"ELECTRIC_URL": upstream.URL, "SHAPEGATE_SHAPES": "../../schema/shapes.yaml", "SHAPEGATE_JWT_SECRET": strings.Repeat("x", 32),
		"SHAPEGATE_LISTEN": "127.0.0.1:0", "SHAPEGATE_ADMIN_LISTEN": "127.0.0.1:0", "SHAPEGATE_LOG_LEVEL": "debug",
	} {
		env[name] = value
	}
	s := startServe(t, env)
	address := s.says("serving")["listen"].(string)
	s.says("ready")
	resp, err := http.Get("http://" + address + "/v1/shapes/documents?offset=-1")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d", resp.StatusCode)
	}
	if line := s.says("request failed"); line["level"] != "DEBUG" || !strings.Contains(line["cause"].(string), "neither a bearer token nor a session cookie") {
		t.Errorf("%v", line)
	}
	s.stop()
	if code := <-s.code; code != 0 {
		t.Errorf("exit code %d", code)
	}
	shapegate(t, with(env, "SHAPEGATE_LOG_LEVEL", "loud"), "", "serve").expect(t, 2, "", "SHAPEGATE_LOG_LEVEL (--log-level): must be debug, info, warn or error")
}
