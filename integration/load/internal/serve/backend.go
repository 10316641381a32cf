package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/world"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

// Backend serves what stands behind a shapegate: the stand-in for Electric with an
// empty table, and, unless another is used, the SpiceDB engine in memory.
func Backend(ctx context.Context, in io.Reader, out io.Writer, withSpiceDB bool) (err error) {
	p := &process{}
	defer func() { err = errors.Join(err, p.close()) }()
	tables := electrictest.New(electrictest.Options{})
	p.closers = append(p.closers, func() error { tables.Close(); return nil })
	if _, err := tables.Exec(world.CreateTable); err != nil {
		return err
	}
	control := http.NewServeMux()
	if withSpiceDB {
		engine, err := spicedbtest.New(ctx, spicedbtest.Config{Schema: world.Schema, ListenAddr: "127.0.0.1:0"})
		if err != nil {
			return err
		}
		p.closers = append(p.closers, engine.Close)
		p.hello.SpiceDB, p.hello.Token = engine.Addr(), engine.Token()
		control.HandleFunc("POST /relationships", importRelationships(engine))
	}
	if p.hello.URL, err = p.serve(ctx, tables); err != nil {
		return err
	}
	control.HandleFunc("POST /sql", execute(tables))
	control.HandleFunc("GET /upstream", func(w http.ResponseWriter, _ *http.Request) {
		s := tables.Stats()
		_ = json.NewEncoder(w).Encode(child.Upstream{Held: s.Held, Total: s.Total})
	})
	control.HandleFunc("GET /usage", serveUsage)
	if p.hello.Control, err = p.serve(ctx, control); err != nil {
		return err
	}
	return p.run(ctx, in, out)
}

// mostSQL bounds one statement.
const mostSQL = 16 << 20

// execute runs SQL as one transaction, and says when it was committed.
func execute(tables *electrictest.Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sql, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostSQL))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		txid, err := tables.Exec(string(sql))
		at := time.Now()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set(rows.CommittedAt, strconv.FormatInt(at.UnixNano(), 10))
		fmt.Fprintf(w, "committed as %d\n", txid)
	}
}
