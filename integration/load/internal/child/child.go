// Package child runs parts of the load tool in processes of their own, so that
// what each of them takes can be measured apart. A child is the tool's own program
// with a hidden command. It says on its standard output where it serves, and ends
// when its standard input does: so it never outlives the tool.
package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Env is set for children, so that a test's program knows that it is one.
const Env = "SHAPEGATE_LOAD_CHILD"

// Hello is what a child says once it serves.
type Hello struct {
	URL     string `json:"url"`               // of what is measured
	Control string `json:"control"`           // of what is for the tool alone
	Metrics string `json:"metrics,omitempty"` // in Prometheus' format
	SpiceDB string `json:"spicedb,omitempty"` // gRPC address
	Token   string `json:"token,omitempty"`   // SpiceDB's preshared key
}

// Process is a child that serves.
type Process struct {
	Hello
	cmd   *exec.Cmd
	stdin io.Closer
}

// patience is how long a child may take to end before it is killed.
const patience = 30 * time.Second

// Start starts a child, and returns once it serves. It runs until Close, whatever
// becomes of ctx, so that it can be left in an orderly way.
func Start(ctx context.Context, log io.Writer, env []string, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(self, args...) //nolint:gosec // it is this program
	c.Env = append(append(os.Environ(), Env+"=1"), env...)
	c.Stderr = log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for the tool
	stdin, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: c, stdin: stdin}
	stop := context.AfterFunc(ctx, func() { _ = stdin.Close() })
	defer stop()
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.Hello)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not start: %w", args[0], err), p.Close())
	}
	return p, nil
}

// Close ends the child, and waits until it has.
func (p *Process) Close() error {
	_ = p.stdin.Close()
	kill := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	return p.cmd.Wait()
}
