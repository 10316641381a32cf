package grants

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/target"
)

// options is what to measure, and where.
type options struct {
	target target.Options

	clients int
	own     int // documents that each person holds from the start
	groups  int
	shared  int // documents to grant and to revoke
	events  bool

	samples  int
	pause    time.Duration // at most, between changes in turn
	rate     float64       // changes per second; 0: only one after the other
	patience time.Duration // for one change to arrive
	limit    time.Duration // for everything
}

// documentsPerGroup is how many rows joining a group brings.
const documentsPerGroup = 100

func (o *options) bind(f *pflag.FlagSet) {
	o.target.Bind(f)
	f.IntVar(&o.clients, "clients", 1000, "clients, each with a person of its own")
	f.IntVar(&o.own, "own", 20, "documents that each person holds from the start")
	f.IntVar(&o.groups, "groups", 10, fmt.Sprintf("groups, each of which sees %d documents", documentsPerGroup))
	f.IntVar(&o.shared, "shared", 200, "documents that are granted and revoked one by one")
	f.BoolVar(&o.events, "sse", false, "wait in event streams instead of long-polls")
	f.IntVar(&o.samples, "samples", 300, "changes of each kind")
	f.DurationVar(&o.pause, "pause", 100*time.Millisecond, "wait up to this long, at random, before each change in turn, so that none falls in step with a SpiceDB that looks for changes now and then")
	f.Float64Var(&o.rate, "rate", 50, "measure again at this many changes a second; 0: only one after the other")
	f.DurationVar(&o.patience, "patience", 30*time.Second, "how long a change may take to arrive")
	f.DurationVar(&o.limit, "limit", 15*time.Minute, "how long everything may take")
}

// Above these, a machine is measured that is not the one that serves.
const (
	mostClients = 20_000
	mostRows    = 1_000_000
	mostSamples = 100_000
	mostRate    = 10_000
)

// complete checks that the options go together.
func (o *options) complete(getenv func(string) string) error {
	if err := o.checkSizes(); err != nil {
		return err
	}
	return o.target.Complete(getenv)
}

func (o *options) checkSizes() error {
	for _, n := range []struct {
		name            string
		value, from, to int
	}{
		{"clients", o.clients, 1, mostClients},
		{"own", o.own, 1, 10_000},
		{"groups", o.groups, 1, 1000},
		{"shared", o.shared, 1, 100_000},
		{"samples", o.samples, 1, mostSamples},
	} {
		if n.value < n.from || n.value > n.to {
			return fmt.Errorf("--%s must be from %d to %d", n.name, n.from, n.to)
		}
	}
	if o.rate < 0 || o.rate > mostRate {
		return fmt.Errorf("--rate must be from 0 to %d", mostRate)
	}
	if o.patience <= 0 || o.limit <= 0 || o.pause < 0 {
		return errors.New("--patience and --limit must be positive, and --pause not negative")
	}
	if o.clients*o.own+o.groups*documentsPerGroup+o.shared > mostRows {
		return fmt.Errorf("these are more than %d rows", mostRows)
	}
	// A kind of change is never repeated for the same person and object.
	if least := o.clients * min(o.own, o.groups, o.shared); o.samples > least {
		return fmt.Errorf("--samples must be at most %d, which is all there is to change", least)
	}
	return nil
}
