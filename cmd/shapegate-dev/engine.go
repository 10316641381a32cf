package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

// source is the schema and the relationships that SpiceDB is to hold, with the names of
// their files.
type source struct {
	schema, text  string
	relationships string
	lines         []spicedb.Line
}

// source reads the files. A schema of the user's own has no relationships of the demo, which
// speak of the demo's definitions.
func (f files) source() (s source, err error) {
	s = source{schema: "demo.zed", text: demo.Schema, relationships: "demo.relationships"}
	lines := demo.Relationships
	if f.schema != "" {
		s.schema, lines = f.schema, ""
		if s.text, err = readFile("--schema", f.schema); err != nil {
			return s, err
		}
	}
	if f.relationships != "" {
		s.relationships = f.relationships
		if lines, err = readFile("--relationships", f.relationships); err != nil {
			return s, err
		}
	}
	s.lines, err = spicedb.ParseLines(s.relationships, lines)
	return s, err
}

func readFile(flag, path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return string(data), nil
}

// devToken is the preshared key of the embedded SpiceDB. It guards nothing: the
// engine listens on this machine only, and holds the demo.
const devToken = "shapegate-dev" //nolint:gosec // see above

func (w *world) startSpiceDB(ctx context.Context) error {
	from, err := w.files.source()
	if err != nil {
		return err
	}
	if w.spicedb.Endpoint != "" {
		err = w.useSpiceDB(ctx, from)
	} else {
		err = w.embedSpiceDB(ctx, from)
	}
	if err != nil {
		return err
	}
	if _, w.heartbeat, err = w.admin.Head(ctx); err != nil {
		return errors.New(spicedb.Explain(err))
	}
	return nil
}

func (w *world) embedSpiceDB(ctx context.Context, from source) error {
	address, note := freeOr("127.0.0.1:50051")
	server, err := spicedbtest.New(ctx, spicedbtest.Config{Token: devToken, ListenAddr: address})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() { _ = server.Close() })
	w.isEmbedded = true
	w.spicedb = spicedb.Config{Endpoint: server.Addr(), Token: devToken, Insecure: true}
	w.started = append(w.started, part{"SpiceDB", fmt.Sprintf("%s, in memory, preshared key %q%s", server.Addr(), devToken, note)})
	if err := w.dialSpiceDB(); err != nil {
		return err
	}
	return w.fill(ctx, from)
}

func (w *world) dialSpiceDB() (err error) {
	if w.admin, err = spicedb.Dial(w.spicedb); err == nil {
		w.closers = append(w.closers, func() { _ = w.admin.Close() })
	}
	return err
}

// useSpiceDB takes a SpiceDB that is there. An empty one gets the schema and the
// relationships; one with a schema is in use, and is left as it is.
func (w *world) useSpiceDB(ctx context.Context, from source) error {
	if err := w.dialSpiceDB(); err != nil {
		return fmt.Errorf("SPICEDB_ENDPOINT: %w", err)
	}
	present, err := w.admin.ReadSchema(ctx)
	if err != nil {
		return errors.New(spicedb.Explain(err))
	}
	endpoint := w.spicedb.Endpoint
	if present != "" && (w.files.schema != "" || w.files.relationships != "") {
		return errors.New("--schema and --relationships are for an empty SpiceDB, and that of SPICEDB_ENDPOINT has a schema; leave them out, or unset SPICEDB_ENDPOINT")
	}
	if present != "" {
		w.started = append(w.started, part{"SpiceDB", endpoint + " (yours)"})
		return nil
	}
	w.started = append(w.started, part{"SpiceDB", endpoint + " (yours; it was empty, and now has a schema)"})
	return w.fill(ctx, from)
}

// fill writes the schema and the relationships. Its error says which line is wrong.
func (w *world) fill(ctx context.Context, from source) error {
	if _, err := w.admin.WriteSchema(ctx, from.text); err != nil {
		return errors.New(spicedb.ExplainSchema(err, from.schema, from.text))
	}
	w.written = from.lines
	if len(from.lines) == 0 {
		return nil
	}
	_, err := write(ctx, w.admin, spicedb.Touch, from.lines)
	if err == nil {
		return nil
	}
	// SpiceDB does not say which of them it refuses. One after the other it does.
	for _, line := range from.lines {
		if _, err := write(ctx, w.admin, spicedb.Touch, []spicedb.Line{line}); err != nil {
			return fmt.Errorf("%s:%d: %s: %s", from.relationships, line.Number, line, spicedb.Explain(err))
		}
	}
	return fmt.Errorf("%s: %s", from.relationships, spicedb.Explain(err))
}
