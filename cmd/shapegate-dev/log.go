package main

import (
	"context"
	"io"
	"log/slog"
)

// newLogger returns a logger that shows warnings, and why a request failed: a
// developer wants to know what is wrong with a token. With verbose it shows
// everything.
func newLogger(out io.Writer, verbose bool) *slog.Logger {
	all := slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})
	if verbose {
		return slog.New(all)
	}
	return slog.New(failures{all})
}

// failures passes warnings and the proxy's records of failed requests. Those have the
// reason, and no token.
type failures struct{ slog.Handler }

const failedRequest = "request failed"

// Handle implements slog.Handler.
func (h failures) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn && r.Message != failedRequest {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h failures) WithAttrs(attrs []slog.Attr) slog.Handler {
	return failures{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h failures) WithGroup(name string) slog.Handler { return failures{h.Handler.WithGroup(name)} }
