// Package nginxtest starts a real nginx for tests, with a file of configuration that people
// may copy. Nothing of the proxy belongs in it, and no production binary may import it.
package nginxtest

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shapegate/shapegate/integration/prerequisite"
)

// Config says what nginx serves.
type Config struct {
	// File has what stands in nginx's http block: the file that Debian and nginx's image
	// take from /etc/nginx/conf.d.
	File string

	// Listen is what the file's one listen directive begins with: "443" for
	// "listen 443 ssl;". An address with a free port takes its place.
	Listen string

	// Replace says what else has another value in a test, such as the address of the
	// upstream. Each key must be in the file.
	Replace map[string]string
}

// Server is an nginx that runs.
type Server struct {
	// Addr is where it listens: host and port.
	Addr string
}

// Start starts an nginx, and stops it when the test ends. If the test has failed, nginx' log
// of errors is in its output. Without nginx the test is skipped, which is a failure where
// everything is required to be there.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	nginx, err := program()
	if err != nil {
		prerequisite.Missing(t, err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	s := &Server{Addr: listener.Addr().String()}
	text, err := c.text(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "nginx.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	serve(t, nginx, folder, socket)
	return s
}

// serve starts nginx on a socket that listens already: a request waits there until nginx
// takes it.
func serve(t testing.TB, nginx, folder string, socket *os.File) {
	t.Helper()
	logFile := filepath.Join(folder, "error.log")
	arguments := []string{"-p", folder, "-c", "nginx.conf", "-e", logFile}
	if out, err := exec.Command(nginx, append(arguments, "-t")...).CombinedOutput(); err != nil {
		t.Fatalf("nginx refuses the configuration: %v\n%s", err, out)
	}
	server := exec.Command(nginx, arguments...)
	server.ExtraFiles = []*os.File{socket}        // is number 3 there
	server.Env = append(os.Environ(), "NGINX=3;") // as a new nginx takes over from an old one
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM) // ends its connections
		_ = server.Wait()
		if log, err := os.ReadFile(logFile); t.Failed() && err == nil { //nolint:gosec // it is the test's
			t.Logf("nginx: %s", log)
		}
	})
}

// around is what stands around the http block's text. All that nginx writes is in its folder.
const around = `daemon off;
pid nginx.pid;
%s
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
%s
}
`

// text is the whole configuration.
func (c Config) text(address string) (string, error) {
	file, err := os.ReadFile(c.File)
	if err != nil {
		return "", err
	}
	text := string(file)
	if n := strings.Count(text, "listen "+c.Listen); n != 1 {
		return "", fmt.Errorf("%s has %d of listen %s, and needs one", c.File, n, c.Listen)
	}
	replacements := []string{"listen " + c.Listen, "listen " + address}
	for _, from := range slices.Sorted(maps.Keys(c.Replace)) {
		if !strings.Contains(text, from) {
			return "", fmt.Errorf("%s does not have %s", c.File, from)
		}
		replacements = append(replacements, from, c.Replace[from])
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // another could not enter the folder
	}
	return fmt.Sprintf(around, user, strings.NewReplacer(replacements...).Replace(text)), nil
}

// program finds nginx on the path, or where Debian has it.
func program() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	const debian = "/usr/sbin/nginx"
	if _, err := os.Stat(debian); err != nil {
		return "", fmt.Errorf("nginx is not installed: %w", err)
	}
	return debian, nil
}
