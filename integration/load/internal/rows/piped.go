package rows

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Piped writes SQL to a psql that keeps running, so that what is measured is not
// how long a process takes to start.
type Piped struct {
	mu   sync.Mutex
	in   io.WriteCloser
	out  *bufio.Reader
	wait func() error
}

// StartPiped starts a command that runs SQL from its standard input.
func StartPiped(ctx context.Context, command string) (*Piped, error) {
	c := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // the caller names the command
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &Piped{in: in, out: bufio.NewReader(out), wait: c.Wait}
	return p, c.Start()
}

// committed is what psql is asked to say after a statement.
const committed = "load: committed"

// Exec implements Rows.
func (p *Piped) Exec(_ context.Context, sql string) (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintf(p.in, "\\set ON_ERROR_STOP on\n%s;\n\\echo %s\n", sql, committed); err != nil {
		return time.Time{}, err
	}
	for {
		line, err := p.out.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return time.Time{}, errors.New("the SQL command has ended")
		}
		if err != nil || strings.TrimSpace(line) == committed {
			return time.Now(), err
		}
	}
}

// Close ends the command.
func (p *Piped) Close() error {
	return errors.Join(p.in.Close(), p.wait())
}
