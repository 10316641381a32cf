// Command shapegate-demo is the demo app for docker-compose.yml: the page and its backend,
// over a real Postgres, Electric, SpiceDB and Redis. It is no part of shapegate; a proxy in
// front of both sends /v1/ to shapegate and everything else here.
//
//	shapegate-demo serve   the page at / and its backend at /demo/, at DEMO_LISTEN
//	shapegate-demo seed    write the demo's schema and relationships, into a SpiceDB that has no schema
//	shapegate-demo ready   for health checks: whether serve answers
//
// It is not for production: everybody may sign in as anybody.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shapegate-demo:", err)
		os.Exit(1)
	}
}

// run runs a command. variables has the form of os.Environ.
func run(ctx context.Context, args, variables []string, out, logs io.Writer) error {
	commands := map[string]func(context.Context, settings, io.Writer) error{
		"serve": func(ctx context.Context, s settings, _ io.Writer) error { return serve(ctx, s, logs) },
		"seed":  seed,
		"ready": ready,
	}
	if len(args) != 1 || commands[args[0]] == nil {
		return fmt.Errorf("say one of: serve, seed, ready")
	}
	s, err := readSettings(variables)
	if err != nil {
		return err
	}
	return commands[args[0]](ctx, s, out)
}
