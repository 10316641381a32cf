package grants

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/load/internal/metrics"
	"github.com/shapegate/shapegate/integration/load/internal/relationships"
	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// deployment is what is measured: a shapegate, and the ways to change what it
// shows.
type deployment struct {
	shape     string // URL
	metrics   string // URL, or empty
	jwtSecret []byte
	grants    relationships.Writer
	rows      rows.Rows
	what      string // for the report

	closers []func() error
}

// deploy starts what is to be embedded, and connects to what is there.
func deploy(ctx context.Context, o *options) (d *deployment, err error) {
	d = &deployment{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	t := &o.target
	if t.URL == "" {
		return d, d.embed(ctx, o)
	}
	d.shape, d.metrics, d.jwtSecret, d.what = t.URL, t.MetricsURL, []byte(t.JWTSecret), t.URL
	if err := d.connect(t.SpiceDB()); err != nil {
		return d, err
	}
	d.rows = rows.Posted{URL: t.SQLURL}
	if t.SQLCommand != "" {
		p, err := rows.StartPiped(context.WithoutCancel(ctx), t.SQLCommand) // it has to tidy up, too
		if err != nil {
			return d, err
		}
		d.rows = p
		d.onClose(p.Close)
	}
	return d, nil
}

// connect makes the client that writes relationships. The proxy's is another, so
// that what the tool writes is not counted.
func (d *deployment) connect(cfg spicedb.Config) error {
	client, err := spicedb.Dial(cfg)
	if err != nil {
		return err
	}
	d.onClose(client.Close)
	d.grants = relationships.Writer{Client: client}
	return nil
}

// counts is what the metrics say, if there are any.
func (d *deployment) counts(ctx context.Context) (metrics.Values, error) {
	return metrics.Read(ctx, d.metrics)
}

func (d *deployment) onClose(f func() error) { d.closers = append(d.closers, f) }

// close ends what was started, in the opposite order.
func (d *deployment) close() error {
	var errs []error
	for _, f := range slices.Backward(d.closers) {
		errs = append(errs, f())
	}
	d.closers = nil
	return errors.Join(errs...)
}

// fill writes the documents and who may see them.
func (d *deployment) fill(ctx context.Context, o *options) error {
	if err := d.grants.PrepareSchema(ctx); err != nil {
		return err
	}
	if err := world.Clear(ctx, d.rows); err != nil {
		return err
	}
	var all []world.Row
	for _, id := range o.documents() {
		all = append(all, world.Row{ID: id, Title: "a document"})
	}
	if err := world.Insert(ctx, d.rows, all); err != nil {
		return err
	}
	return d.grants.Touch(ctx, o.relationships()...)
}

// clearTime bounds how long tidying up may take, even after an interrupt.
const clearTime = time.Minute

// clear takes away what fill wrote.
func (d *deployment) clear(ctx context.Context, o *options) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTime)
	defer cancel()
	return errors.Join(d.grants.Delete(ctx, o.relationships()...), world.Clear(ctx, d.rows))
}
