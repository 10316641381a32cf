package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// deployment is what is measured: a shapegate, and the ways to change what it
// shows.
type deployment struct {
	shape     string // URL
	metrics   string // URL, or empty
	jwtSecret []byte
	grants    grants
	rows      rows
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
	if o.url == "" {
		return d, d.embed(ctx, o)
	}
	d.shape, d.metrics, d.jwtSecret, d.what = o.url, o.metricsURL, []byte(o.jwtSecret), o.url
	if err := d.connect(o.spicedb()); err != nil {
		return d, err
	}
	d.rows = posted{o.sqlURL}
	if o.sqlCommand != "" {
		p, err := startPiped(context.WithoutCancel(ctx), o.sqlCommand) // it has to tidy up, too
		if err != nil {
			return d, err
		}
		d.rows = p
		d.onClose(p.close)
	}
	return d, nil
}

func (o *options) spicedb() spicedb.Config {
	return spicedb.Config{Endpoint: o.spicedbEndpoint, Token: o.spicedbToken, Insecure: o.spicedbInsecure}
}

// connect makes the client that writes relationships. The proxy's is another, so
// that what the tool writes is not counted.
func (d *deployment) connect(cfg spicedb.Config) error {
	client, err := spicedb.Dial(cfg)
	if err != nil {
		return err
	}
	d.onClose(client.Close)
	d.grants = grants{client}
	return nil
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

// rowsPerStatement is how many rows one INSERT has.
const rowsPerStatement = 500

// fill writes the documents and who may see them.
func (d *deployment) fill(ctx context.Context, o *options) error {
	if err := d.grants.prepareSchema(ctx); err != nil {
		return err
	}
	if err := d.rows.exec(ctx, deleteRows); err != nil {
		return fmt.Errorf("delete the rows of an earlier run: %w", err)
	}
	for chunk := range slices.Chunk(o.documents(), rowsPerStatement) {
		if err := d.rows.exec(ctx, insertRows(chunk)); err != nil {
			return fmt.Errorf("insert rows: %w", err)
		}
	}
	return d.grants.touch(ctx, o.relationships()...)
}

// clearTime bounds how long tidying up may take, even after an interrupt.
const clearTime = time.Minute

// clear takes away what fill wrote.
func (d *deployment) clear(ctx context.Context, o *options) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTime)
	defer cancel()
	return errors.Join(d.grants.delete(ctx, o.relationships()...), d.rows.exec(ctx, deleteRows))
}
