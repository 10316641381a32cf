package readers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/relationships"
	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/usage"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// site is a shapegate, what stands behind it, and the world that it serves.
type site struct {
	o      *options
	log    io.Writer
	secret []byte

	shape   *url.URL // shapegate's
	metrics string   // URL; empty: there are none
	meter   usage.Meter

	electric *url.URL       // its base; nil: none was named
	backend  *child.Process // nil: it runs elsewhere
	spicedb  spicedb.Config
	proxy    *child.Process // nil: it runs elsewhere

	rows          rows.Rows
	relationships relationships.Writer

	closers []func() error
}

// secretOfTool signs the tokens for a shapegate that the tool starts.
const secretOfTool = "the secret of the load tool, 32 bytes"

// openSite starts or reaches everything, and writes the world, before a shapegate
// starts, which so hears of no grant that changes.
func openSite(ctx context.Context, o *options, log io.Writer) (s *site, err error) {
	t := &o.target
	s = &site{o: o, log: log, secret: []byte(cmp.Or(t.JWTSecret, secretOfTool)), spicedb: t.SpiceDB()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if t.URL == "" {
		err = s.startBackend(ctx)
	} else {
		err = s.reach(ctx)
	}
	if err != nil {
		return s, err
	}
	client, err := spicedb.Dial(s.spicedb)
	if err != nil {
		return s, err
	}
	s.onClose(client.Close)
	s.relationships = relationships.Writer{Client: client}
	if err := s.fill(ctx); err != nil {
		return s, err
	}
	if t.URL == "" {
		return s, s.startProxy(ctx)
	}
	return s, s.settle(ctx)
}

func (s *site) say(format string, args ...any) { fmt.Fprintf(s.log, format+"\n", args...) }

func (s *site) onClose(f func() error) { s.closers = append(s.closers, f) }

// close ends what was started, in the opposite order.
func (s *site) close() error {
	var errs []error
	for _, f := range slices.Backward(s.closers) {
		errs = append(errs, f())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// start starts a child, until close.
func (s *site) start(ctx context.Context, env []string, args ...string) (*child.Process, error) {
	p, err := child.Start(ctx, s.log, env, args...)
	if err == nil {
		s.onClose(p.Close)
	}
	return p, err
}

func (s *site) startBackend(ctx context.Context) (err error) {
	args := []string{"backend"}
	if s.o.target.SpiceDBEndpoint != "" {
		args = append(args, "--without-spicedb")
	}
	if s.backend, err = s.start(ctx, nil, args...); err != nil {
		return err
	}
	if s.backend.SpiceDB != "" {
		s.spicedb = spicedb.Config{Endpoint: s.backend.SpiceDB, Token: s.backend.Token, Insecure: true}
	}
	s.rows = rows.Posted{URL: s.backend.Control + "/sql"}
	s.electric, err = url.Parse(s.backend.URL)
	return err
}

// startProxy starts a shapegate, until close.
func (s *site) startProxy(ctx context.Context) error {
	if err := s.runProxy(ctx); err != nil {
		return err
	}
	s.onClose(func() error {
		if s.proxy == nil {
			return nil // it could not be started again
		}
		return s.proxy.Close()
	})
	return nil
}

func (s *site) runProxy(ctx context.Context) (err error) {
	args := []string{"proxy", "--electric-url", s.electric.String(), "--spicedb-endpoint", s.spicedb.Endpoint}
	if s.spicedb.Insecure {
		args = append(args, "--spicedb-insecure")
	}
	env := []string{"SHAPEGATE_JWT_SECRET=" + string(s.secret), "SPICEDB_TOKEN=" + s.spicedb.Token}
	p, err := child.Start(ctx, s.log, env, args...)
	if err != nil {
		return err
	}
	s.proxy = p
	s.metrics, s.meter = s.proxy.Metrics, usage.OfChild(s.proxy.Control)
	s.shape, err = url.Parse(s.proxy.URL)
	return err
}

// restartProxy begins with a shapegate that has nothing to remember, if it is the
// tool's own.
func (s *site) restartProxy(ctx context.Context) error {
	if s.proxy == nil {
		return nil
	}
	ended := s.proxy
	s.proxy = nil
	if err := ended.Close(); err != nil {
		return err
	}
	return s.runProxy(ctx)
}

// reach finds its way to a shapegate that runs.
func (s *site) reach(ctx context.Context) (err error) {
	t := &s.o.target
	if s.shape, err = url.Parse(t.URL); err != nil {
		return err
	}
	if s.metrics = t.MetricsURL; s.metrics != "" {
		s.meter = usage.OfMetrics(s.metrics)
	}
	if s.o.electricURL != "" {
		if s.electric, err = url.Parse(s.o.electricURL); err != nil {
			return err
		}
	}
	s.rows = rows.Posted{URL: t.SQLURL}
	if t.SQLCommand != "" {
		p, err := rows.StartPiped(context.WithoutCancel(ctx), t.SQLCommand) // it has to tidy up, too
		if err != nil {
			return err
		}
		s.rows = p
		s.onClose(p.Close)
	}
	return nil
}

// direct is the same table at Electric, asked for without shapegate, at a base that
// is Electric's or a relay's. It is nil where no Electric was named.
func (s *site) direct(base *url.URL) *url.URL {
	if s.electric == nil {
		return nil
	}
	u := *base
	u.Path = strings.TrimSuffix(u.Path, "/") + "/v1/shape"
	u.RawQuery = world.DirectQuery
	if s.o.electricSecret != "" {
		u.RawQuery += "&secret=" + url.QueryEscape(s.o.electricSecret)
	}
	return &u
}

// upstream is what the stand-in was asked so far; false if it runs elsewhere.
func (s *site) upstream(ctx context.Context) (u child.Upstream, ours bool, err error) {
	if s.backend == nil {
		return u, false, nil
	}
	return u, true, child.Get(ctx, s.backend.Control+"/upstream", &u)
}
