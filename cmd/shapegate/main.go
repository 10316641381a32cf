// Command shapegate decides on every request for a shape, from relationships in
// SpiceDB, which rows of it a person may sync from Electric.
//
// "shapegate serve" is the proxy; the other commands are what is needed around
// it: to write and to check shape definitions, to write a schema and relationships, to ask
// SpiceDB what it thinks, to explain what somebody sees, to sign a token for local
// work, to make the secrets of docker-compose.yml. Settings are environment variables,
// and flags of the same name win.
//
// Exit codes: 0 is yes or done; 1 is no, or an input that is wrong; 2 is that
// there is no answer, because the command was called wrongly or SpiceDB is away.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
