package forwardauth

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Files are the configuration files.
//
//go:embed Caddyfile nginx.conf.template traefik.yml traefik-hop.Caddyfile envoy.yaml
var Files embed.FS

// Places says where the servers are that the configuration files name, each as host:port.
type Places struct {
	ForwardAuth, Shapegate, Electric string
	ElectricSecret                   string
}

// value returns the value of a variable of the files.
func (p Places) value(name string) string {
	return map[string]string{
		"FORWARD_AUTH": p.ForwardAuth, "SHAPEGATE": p.Shapegate, "ELECTRIC": p.Electric, "ELECTRIC_SECRET": p.ElectricSecret,
	}[name]
}

// Front is a server that runs with one of the files.
type Front struct {
	URL string

	cmd  *exec.Cmd
	log  *lockedBuffer
	done chan struct{} // closed when it has ended
	err  error         // why; read it after done
}

// StartCaddy starts Caddy with one of its files, and scratch files in dir. The error is
// exec.ErrNotFound if Caddy is not installed. The caller stops it.
func StartCaddy(ctx context.Context, dir, file string, p Places) (*Front, error) {
	text, err := Files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return start(ctx, func(address string) (*exec.Cmd, error) {
		//nolint:gosec // the arguments are the test's own
		cmd := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config", path)
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "GATEWAY=http://"+address[strings.LastIndex(address, ":"):])
		for _, name := range []string{"FORWARD_AUTH", "SHAPEGATE", "ELECTRIC", "ELECTRIC_SECRET"} {
			cmd.Env = append(cmd.Env, name+"="+p.value(name))
		}
		return cmd, nil
	})
}

// nginxMain is what stands around a file for nginx's http block.
const nginxMain = `
daemon off;
pid %[1]s/nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  include %[1]s/default.conf;
}
`

// StartNginx starts nginx as StartCaddy starts Caddy.
func StartNginx(ctx context.Context, dir, file string, p Places) (*Front, error) {
	text, err := Files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return start(ctx, func(address string) (*exec.Cmd, error) {
		// As envsubst does, which nginx's Docker image runs.
		filled := os.Expand(string(text), func(name string) string {
			if name == "GATEWAY_PORT" {
				return address
			}
			if value := p.value(name); value != "" {
				return value
			}
			return "$" + name // one of nginx's own
		})
		for name, content := range map[string]string{"default.conf": filled, "nginx.conf": fmt.Sprintf(nginxMain, dir)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				return nil, err
			}
		}
		//nolint:gosec // the arguments are the test's own
		return exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf")), nil
	})
}

// mostStarts is how often a server is started: another process may take the port first.
const mostStarts = 5

func start(ctx context.Context, command func(address string) (*exec.Cmd, error)) (f *Front, err error) {
	for range mostStarts {
		var address string
		if address, err = freeAddress(ctx); err != nil {
			return nil, err
		}
		var cmd *exec.Cmd
		if cmd, err = command(address); err != nil {
			return nil, err
		}
		f = &Front{URL: "http://" + address, cmd: cmd, log: &lockedBuffer{}, done: make(chan struct{})}
		if err = f.run(ctx, address); err == nil || errors.Is(err, exec.ErrNotFound) {
			return f, err
		}
	}
	return nil, err
}

func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// run starts the process, and returns once it listens.
func (f *Front) run(ctx context.Context, address string) error {
	f.cmd.Stdout, f.cmd.Stderr = f.log, f.log
	if err := f.cmd.Start(); err != nil {
		return err
	}
	go func() {
		f.err = f.cmd.Wait()
		close(f.done)
	}()
	var dialer net.Dialer
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-f.done:
			return fmt.Errorf("%s ended: %w\n%s", f.cmd.Path, f.err, f.log)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), f.Stop())
		case <-look.C:
			if conn, err := dialer.DialContext(ctx, "tcp", address); err == nil {
				return conn.Close()
			}
		}
	}
}

// grace is how long a server may take to end.
const grace = 5 * time.Second

// Stop ends the server.
func (f *Front) Stop() error {
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-f.done:
		return nil
	case <-time.After(grace):
		return f.cmd.Process.Kill()
	}
}

// Log is what the server has printed.
func (f *Front) Log() string { return f.log.String() }

// lockedBuffer is a buffer that is written and read at the same time.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
