package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

// All that a balancer in front asks for is set from outside.
func TestServeStandsBehindABalancer(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	for name, value := range map[string]string{
		"ELECTRIC_URL": "http://" + freePort(t), "SHAPEGATE_SHAPES": "../../schema/shapes.yaml", "SHAPEGATE_JWT_SECRET": strings.Repeat("x", 32),
		"SHAPEGATE_LISTEN": "127.0.0.1:0", "SHAPEGATE_ADMIN_LISTEN": "127.0.0.1:0", "SHAPEGATE_LOG_LEVEL": "debug",
		"SHAPEGATE_BASE_PATH": "/sync", "SHAPEGATE_TRUSTED_PROXIES": "127.0.0.1,192.0.2.0/24", "SHAPEGATE_FORWARDED_HEADER": "forwarded",
		"SHAPEGATE_PROXY_PROTOCOL": "true", "SHAPEGATE_IDLE_TIMEOUT": "50ms",
	} {
		env[name] = value
	}
	s := startServe(t, env)
	conn, err := net.Dial("tcp", s.says("serving")["listen"].(string))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A balancer of TCP, and behind it a proxy at 192.0.2.7 that knows the client.
	fmt.Fprint(conn, "PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\nGET /sync/v1/session HTTP/1.1\r\nHost: x\r\nForwarded: for=198.51.100.1\r\n\r\n")
	answers := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusNotFound { // there is no Redis, and so no session
		t.Errorf("status %d", resp.StatusCode)
	}
	if line := s.says("request failed"); line["ip"] != "198.51.100.1" {
		t.Errorf("%v", line)
	}
	if _, err := answers.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is kept: %v", err)
	}
	s.stop()
	if code := <-s.code; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
