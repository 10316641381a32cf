// Package readers measures what it costs shapegate that many clients read: how
// soon a change is with all of them, what changes cost that none of them may see,
// what each of them takes of memory, and what reads cost. Each figure stands
// beside the same figure of something that decides nothing, from the same run.
package readers

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/integration/load/internal/target"
)

// options is what all measurements share: what is measured, and the world that it
// is measured in.
type options struct {
	target         target.Options
	electricURL    string
	electricSecret string

	people   int
	own      int
	withheld int

	rate     int // connections a second
	gzip     bool
	http2    bool // clients share connections
	patience time.Duration
	limit    time.Duration
}

func (o *options) bind(f *pflag.FlagSet) {
	o.target.Bind(f)
	f.StringVar(&o.electricURL, "electric-url", "", "the Electric behind --url, as http://localhost:3000; without it, nothing is compared with it")
	f.StringVar(&o.electricSecret, "electric-secret", "", "its secret (or ELECTRIC_SECRET)")
	f.IntVar(&o.people, "people", 100, "people; each has an equal share of the clients")
	f.IntVar(&o.own, "ids", 4, "rows that each person alone may see, besides the one that all may see")
	f.IntVar(&o.withheld, "withheld", 100, "rows that nobody may see")
	f.IntVar(&o.rate, "connect-rate", 1000, "clients that connect in a second, at the most")
	f.BoolVar(&o.gzip, "gzip", false, "ask for compressed answers")
	f.DurationVar(&o.patience, "patience", time.Minute, "how long a change may take to arrive before it is lost")
	f.DurationVar(&o.limit, "limit", 30*time.Minute, "how long everything may take")
}

// complete takes secrets from the environment, and checks that the options go
// together.
func (o *options) complete(getenv func(string) string) error {
	o.electricSecret = cmp.Or(o.electricSecret, getenv("ELECTRIC_SECRET"))
	if o.target.URL == "" && o.electricURL != "" {
		return errors.New("--electric-url belongs to --url")
	}
	if err := atLeast(1, sizes{"people": o.people, "connect-rate": o.rate}); err != nil {
		return err
	}
	if err := atLeast(0, sizes{"ids": o.own, "withheld": o.withheld}); err != nil {
		return err
	}
	if o.patience <= 0 || o.limit <= 0 {
		return errors.New("--patience and --limit must be positive")
	}
	return o.target.Complete(getenv)
}

// sizes are the values of flags, by their names.
type sizes map[string]int

func atLeast(least int, s sizes) error {
	for name, n := range s {
		if n < least {
			return fmt.Errorf("--%s must be at least %d", name, least)
		}
	}
	return nil
}

// notNegative checks --pause.
func notNegative(pause time.Duration) error {
	if pause < 0 {
		return errors.New("--pause must not be negative")
	}
	return nil
}

// checkClients checks a list of numbers of clients.
func checkClients(clients []int) error {
	if len(clients) == 0 {
		return errors.New("--clients must name a number")
	}
	for _, n := range clients {
		if err := atLeast(1, sizes{"clients": n}); err != nil {
			return err
		}
	}
	return nil
}

// within is what bounds a measurement.
func (o *options) within() *options { return o }
