package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// The log has it once, /readyz as long as it is so.
func TestAnOldSpiceDBIsWarnedOf(t *testing.T) {
	var log bytes.Buffer
	version, failure, asked := "", errors.New("away"), 0
	o := &oldSpiceDB{log: slog.New(slog.NewTextHandler(&log, nil)), ask: func(context.Context) (string, error) {
		asked++
		return version, failure
	}}
	says := func(want string) {
		t.Helper()
		if got := o.check(t.Context()); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	says("")
	version, failure = "v1.50.0", nil
	says("upgrade it to v1.51.1 or newer")
	says("upgrade it to v1.51.1 or newer")
	failure = errors.New("restarts")
	says("v1.50.0")
	version, failure = "v1.56.2", nil
	says("")
	if asked != 5 {
		t.Errorf("asked %d times", asked)
	}
	if says(""); asked != 5 {
		t.Error("it asks a SpiceDB that is not old")
	}
	if n := strings.Count(log.String(), "SpiceDB is too old"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, log.String())
	}
}
