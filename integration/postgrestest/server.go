// Package postgrestest starts a real Postgres for tests, alone and in a folder of its own,
// reached by a socket in that folder. Nothing of the proxy belongs in it, and no production
// binary may import it.
package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shapegate/shapegate/integration/prerequisite"
)

// Server is a Postgres that runs.
type Server struct {
	folder string
	stop   func()
	made   int // databases
}

// Start starts a server, which the caller stops. Without Postgres the test is skipped, which
// is a failure where everything is required to be there.
func Start(t testing.TB) *Server {
	t.Helper()
	if _, err := program("initdb"); err != nil {
		prerequisite.Missing(t, err)
	}
	s, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Stop ends the server and its connections, and removes its folder.
func (s *Server) Stop() { s.stop() }

// Database makes an empty database, and returns its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.made++
	name := fmt.Sprintf("test%d", s.made)
	conn, err := pgx.Connect(t.Context(), s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.url(name)
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://demo@/%s?host=%s", database, s.folder)
}

func start() (_ *Server, err error) {
	folder, err := os.MkdirTemp("", "pg") // a socket's path has to be short
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, stop: func() { _ = os.RemoveAll(folder) }}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if os.Geteuid() == 0 {
		if err := run(exec.Command("chown", "postgres", folder)); err != nil {
			return nil, err
		}
	}
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "data")
	if err := run(asPostgres(initdb, "--pgdata", data, "--username", "demo", "--auth", "trust", "--encoding", "UTF8", "--no-sync")); err != nil {
		return nil, err
	}
	return s, s.serve(data)
}

// serve starts the server, and returns when it answers.
func (s *Server) serve(data string) error {
	postgres, err := program("postgres")
	if err != nil {
		return err
	}
	server := asPostgres(postgres, "-D", data, "-k", s.folder, "-c", "listen_addresses=", "-c", "fsync=off")
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	remove := s.stop
	s.stop = func() {
		_ = server.Process.Signal(os.Interrupt) // ends its connections
		<-ended
		remove()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ended:
			return fmt.Errorf("postgres ended: %s", log.String())
		case <-ctx.Done():
			return err
		default:
		}
	}
}

// program finds a program on the path, or where Debian has it.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", errors.New("postgresql is not installed")
	}
	return found[len(found)-1], nil
}

// asPostgres runs a program as the user postgres where we are root, as which it refuses to
// run.
func asPostgres(program string, args ...string) *exec.Cmd {
	if os.Geteuid() == 0 {
		program, args = "setpriv", append([]string{"--reuid", "postgres", "--regid", "postgres", "--clear-groups", program}, args...)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	return cmd
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}
