package readers

import (
	"context"
	"io"
	"net/url"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/usage"
)

// gate is the shapegate that is measured.
type gate struct {
	shape   *url.URL
	metrics string      // URL; empty: there are none
	meter   usage.Meter // nil: there is none

	start   func(context.Context) (*child.Process, error) // nil: it runs elsewhere
	process *child.Process                                // that start started; nil: none runs
}

// ours reports whether the shapegate is the tool's own, which can be started again.
func (g *gate) ours() bool { return g.start != nil }

// run starts the tool's own shapegate, until close.
func (g *gate) run(ctx context.Context) (err error) {
	if g.process, err = g.start(ctx); err != nil {
		return err
	}
	g.metrics, g.meter = g.process.Metrics, usage.OfChild(g.process.Control)
	g.shape, err = url.Parse(g.process.URL)
	return err
}

// restart begins with a shapegate that has nothing to remember, if it is the tool's
// own. Doors that were made before it lead to the one that has ended.
func (g *gate) restart(ctx context.Context) error {
	if !g.ours() {
		return nil
	}
	if err := g.close(); err != nil {
		return err
	}
	return g.run(ctx)
}

// close ends the tool's own shapegate, if it runs.
func (g *gate) close() error {
	ended := g.process
	g.process = nil
	if ended == nil {
		return nil
	}
	return ended.Close()
}

// gateStart starts a shapegate between an Electric and a SpiceDB.
func gateStart(log io.Writer, electric *url.URL, engine spicedb.Config, secret []byte) func(context.Context) (*child.Process, error) {
	args := []string{"proxy", "--electric-url", electric.String(), "--spicedb-endpoint", engine.Endpoint}
	if engine.Insecure {
		args = append(args, "--spicedb-insecure")
	}
	env := []string{"SHAPEGATE_JWT_SECRET=" + string(secret), "SPICEDB_TOKEN=" + engine.Token}
	return func(ctx context.Context) (*child.Process, error) { return child.Start(ctx, log, env, args...) }
}
