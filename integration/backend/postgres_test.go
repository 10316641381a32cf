package backend

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
)

// postgresServer is a real one, alone and in a folder of its own.
type postgresServer struct {
	folder string
	stop   func()
	made   int // databases
}

// shared is the server of all tests, which have a database each.
var shared *postgresServer

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		shared.stop()
	}
	os.Exit(code)
}

// realPostgres returns a server. Without Postgres the test is skipped, which is a failure
// where everything is required to be there.
func realPostgres(t *testing.T) *postgresServer {
	t.Helper()
	if shared != nil {
		return shared
	}
	if _, err := postgresProgram("initdb"); err != nil {
		if os.Getenv("SHAPEGATE_TEST_REQUIRE_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s, err := startPostgres()
	if err != nil {
		t.Fatal(err)
	}
	shared = s
	return s
}

func startPostgres() (_ *postgresServer, err error) {
	folder, err := os.MkdirTemp("", "pg") // a socket's path has to be short
	if err != nil {
		return nil, err
	}
	s := &postgresServer{folder: folder, stop: func() { _ = os.RemoveAll(folder) }}
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
	initdb, err := postgresProgram("initdb")
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
func (s *postgresServer) serve(data string) error {
	program, err := postgresProgram("postgres")
	if err != nil {
		return err
	}
	server := asPostgres(program, "-D", data, "-k", s.folder, "-c", "listen_addresses=", "-c", "fsync=off")
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

// postgresProgram finds a program on the path, or where Debian has it.
func postgresProgram(name string) (string, error) {
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

func (s *postgresServer) url(database string) string {
	return fmt.Sprintf("postgres://demo@/%s?host=%s", database, s.folder)
}

// rows returns the demo's rows in a database of their own.
func (s *postgresServer) rows(t *testing.T) *Postgres {
	t.Helper()
	s.made++
	name := fmt.Sprintf("demo%d", s.made)
	conn, err := pgx.Connect(t.Context(), s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPostgres(t.Context(), s.url(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// What is there stays, at a second start.
func TestOpeningPostgresAgainKeepsItsRows(t *testing.T) {
	p := realPostgres(t).rows(t)
	if _, err := p.Edit(t.Context(), charter, "Kept", ""); err != nil {
		t.Fatal(err)
	}
	if err := p.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d, err := p.Document(t.Context(), charter); err != nil || d.Title != "Kept" {
		t.Errorf("%+v, %v", d, err)
	}
}

// The txid is the one that a shape's log has of the row, which is its xmin.
func TestATxidOfPostgresIsThatOfTheRow(t *testing.T) {
	p := realPostgres(t).rows(t)
	txid, err := p.Edit(t.Context(), charter, "Edited", "")
	if err != nil {
		t.Fatal(err)
	}
	var xmin int64
	if err := p.pool.QueryRow(t.Context(), "SELECT xmin::text::int8 FROM documents WHERE id = $1", charter).Scan(&xmin); err != nil || xmin != txid {
		t.Errorf("txid %d, xmin %d, %v", txid, xmin, err)
	}
}

func TestAnUnusableDatabaseURLIsNotQuoted(t *testing.T) {
	_, err := OpenPostgres(t.Context(), "postgres://user:hunter2@host:notaport/x")
	if err == nil || bytes.Contains([]byte(err.Error()), []byte("hunter2")) {
		t.Errorf("%v", err)
	}
}
