package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/shapegate/shapegate/integration/electrictest"
)

// rows runs SQL, one transaction at a time, and returns when it is committed.
type rows interface {
	exec(ctx context.Context, sql string) error
}

// standIn is the tables of the embedded stand-in.
type standIn struct{ server *electrictest.Server }

func (s standIn) exec(_ context.Context, sql string) error {
	_, err := s.server.Exec(sql)
	return err
}

// posted sends SQL to a URL, as shapegate-dev takes it.
type posted struct{ url string }

func (p posted) exec(ctx context.Context, sql string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(sql))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return err
}

// piped writes SQL to a psql that keeps running, so that what is measured is not
// how long a process takes to start.
type piped struct {
	mu   sync.Mutex
	in   io.WriteCloser
	out  *bufio.Reader
	wait func() error
}

func startPiped(ctx context.Context, command string) (*piped, error) {
	c := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // whoever calls names the command
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &piped{in: in, out: bufio.NewReader(out), wait: c.Wait}
	return p, c.Start()
}

// committed is what psql is asked to say after a statement.
const committed = "load: committed"

func (p *piped) exec(_ context.Context, sql string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintf(p.in, "\\set ON_ERROR_STOP on\n%s;\n\\echo %s\n", sql, committed); err != nil {
		return err
	}
	for {
		line, err := p.out.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return errors.New("the SQL command has ended")
		}
		if err != nil || strings.TrimSpace(line) == committed {
			return err
		}
	}
}

func (p *piped) close() error {
	return errors.Join(p.in.Close(), p.wait())
}
