package main

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/prerequisite"
	"github.com/shapegate/shapegate/schema/demo"
)

// screen is an output that can be waited for.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(p)
	if strings.Contains(s.text.String(), "Ctrl-C") {
		s.once.Do(func() { close(s.ready) })
	}
	return n, err
}

func (s *screen) lines() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestThePrintedLinesWorkWhenPasted(t *testing.T) {
	for _, program := range []string{"curl", "sh"} {
		if _, err := exec.LookPath(program); err != nil {
			prerequisite.Missing(t, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := &screen{ready: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- run(ctx, nil, []string{"SHAPEGATE_LISTEN=127.0.0.1:0"}, out, io.Discard) }()
	select {
	case <-out.ready:
	case err := <-done:
		t.Fatalf("ended before it was ready: %v", err)
	}

	answers := paste(t, out.lines(), 17)
	const atlas, comet = demo.SharedLater, "d0c00000-0000-4000-8000-000000000007"
	for i, want := range []struct {
		command  string
		has, not []string
	}{
		{"alice", []string{atlas, comet, "up-to-date"}, []string{"000000000005"}},
		{"bob", []string{"000000000004", "up-to-date"}, []string{atlas, comet}},
		{"may", []string{`"id":"d0c00000-0000-4000-8000-000000000004","edit":"true","share":"false"`, "up-to-date"}, []string{atlas, comet}},
		{"grant", []string{"written at"}, nil},
		{"bob", []string{atlas, "000000000004"}, []string{comet}},
		{"take away", []string{"written at"}, nil},
		{"bob", []string{"000000000004"}, []string{atlas, comet}},
		{"live", []string{atlas, "snapshot-end", "up-to-date"}, []string{"000000000004"}},
		{"subset", []string{"Borealis plan", "metadata"}, []string{"Atlas charter"}},
		{"stream", []string{"data: ", "up-to-date"}, nil},
		{"whose session", []string{"user:bob"}, nil},
		{"a read with the session", []string{atlas, "up-to-date"}, []string{comet}},
		{"end of the session", nil, []string{"error"}},
		{"a token for one shape", []string{`"params":{"table":"documents"}`, "/v1/shape"}, nil},
		{"a read with the token", []string{atlas, "up-to-date"}, []string{comet}},
		{"select", []string{"id ", "title", "Atlas charter", "(7 rows)"}, []string{"first draft"}},
		{"update", []string{"committed as"}, nil},
	} {
		for _, text := range want.has {
			if !strings.Contains(answers[i], text) {
				t.Errorf("%d, %s: no %q in %s", i, want.command, text, answers[i])
			}
		}
		for _, text := range want.not {
			if strings.Contains(answers[i], text) {
				t.Errorf("%d, %s: %q in %s", i, want.command, text, answers[i])
			}
		}
	}

	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end: %v", err)
	}
}

var assignment = regexp.MustCompile(`^[A-Z_0-9]+=`)

// paste runs the printed tokens and commands in a shell, and returns what each of so many
// commands printed.
func paste(t *testing.T, printed string, count int) []string {
	t.Helper()
	const mark = "---- next ----"
	var script strings.Builder
	commands := 0
	for line := range strings.Lines(printed) {
		switch {
		case strings.HasPrefix(line, "curl "), strings.HasPrefix(line, "(sleep "):
			if commands > 0 {
				script.WriteString("echo; echo '" + mark + "'\n")
			}
			commands++
			script.WriteString(line)
		case assignment.MatchString(line), strings.HasPrefix(line, "  -d "):
			script.WriteString(line)
		}
	}
	shell := exec.CommandContext(t.Context(), "sh", "-e")
	shell.Stdin = strings.NewReader(script.String())
	output, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	answers := strings.Split(string(output), mark)
	if len(answers) != commands || commands != count {
		t.Fatalf("%d answers to %d commands: %s", len(answers), commands, output)
	}
	return answers
}
