package readers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/relationships"
	"github.com/shapegate/shapegate/integration/load/internal/rows"
	"github.com/shapegate/shapegate/integration/load/internal/usage"
)

// site is what a measurement stands on: a shapegate, what is behind it, and the world
// that it serves.
type site struct {
	o   *options
	log io.Writer

	people   people
	gate     gate
	electric *electric // nil: none was named
	stores   stores

	ends ends
}

// secretOfTool signs the tokens for a shapegate that the tool starts.
const secretOfTool = "the secret of the load tool, 32 bytes"

// openSite starts or reaches everything, and writes the world, before a shapegate
// starts, which so hears of no grant that changes.
func openSite(ctx context.Context, o *options, log io.Writer) (s *site, err error) {
	t := &o.target
	s = &site{
		o: o, log: log,
		people: people{secret: []byte(cmp.Or(t.JWTSecret, secretOfTool)), valid: o.limit, gzip: o.gzip},
	}
	s.stores.log, s.stores.ends = log, &s.ends
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	engine := t.SpiceDB()
	if t.URL == "" {
		engine, err = s.startBackend(ctx, engine)
	} else {
		err = s.reach(ctx)
	}
	if err != nil {
		return s, err
	}
	client, err := spicedb.Dial(engine)
	if err != nil {
		return s, err
	}
	s.ends.add(client.Close)
	s.stores.relationships = relationships.Writer{Client: client}
	if err := s.stores.fill(ctx, o.rows(), o.grants()); err != nil {
		return s, err
	}
	if t.URL != "" {
		return s, s.settle(ctx)
	}
	s.gate.start = gateStart(log, s.electric.base, engine, s.people.secret)
	s.ends.add(s.gate.close)
	return s, s.gate.run(ctx)
}

// say tells the person who waits for the measurement what is going on.
func (s *site) say(format string, args ...any) { fmt.Fprintf(s.log, format+"\n", args...) }

// close ends what was started, in the opposite order.
func (s *site) close() error { return s.ends.close() }

// start starts a child, until close.
func (s *site) start(ctx context.Context, args ...string) (*child.Process, error) {
	p, err := child.Start(ctx, s.log, nil, args...)
	if err == nil {
		s.ends.add(p.Close)
	}
	return p, err
}

// startBackend starts a stand-in for Electric and, unless one was named, a SpiceDB. It
// returns how to reach SpiceDB.
func (s *site) startBackend(ctx context.Context, named spicedb.Config) (engine spicedb.Config, err error) {
	args := []string{"backend"}
	if named.Endpoint != "" {
		args = append(args, "--without-spicedb")
	}
	p, err := s.start(ctx, args...)
	if err != nil {
		return named, err
	}
	engine = named
	if p.SpiceDB != "" {
		engine = spicedb.Config{Endpoint: p.SpiceDB, Token: p.Token, Insecure: true}
		s.stores.control = p.Control
	}
	s.stores.rows = rows.Posted{URL: p.Control + "/sql"}
	base, err := url.Parse(p.URL)
	s.electric = &electric{base: base, control: p.Control}
	return engine, err
}

// reach finds the ways to a shapegate that runs, and to what is behind it.
func (s *site) reach(ctx context.Context) (err error) {
	t := &s.o.target
	if s.gate.shape, err = url.Parse(t.URL); err != nil {
		return err
	}
	if s.gate.metrics = t.MetricsURL; s.gate.metrics != "" {
		s.gate.meter = usage.OfMetrics(s.gate.metrics)
	}
	if s.o.electricURL != "" {
		base, err := url.Parse(s.o.electricURL)
		if err != nil {
			return err
		}
		s.electric = &electric{base: base, secret: s.o.electricSecret}
	}
	s.stores.lentRows = true
	s.stores.rows = rows.Posted{URL: t.SQLURL}
	if t.SQLCommand != "" {
		p, err := rows.StartPiped(context.WithoutCancel(ctx), t.SQLCommand) // it has to tidy up, too
		if err != nil {
			return err
		}
		s.stores.rows = p
		s.ends.add(p.Close)
	}
	return nil
}
