// Package target says what the load tool measures: a shapegate that runs
// somewhere, or none, and everything is started by the tool itself.
package target

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// Options names the target. Without a URL, everything is embedded.
type Options struct {
	URL        string // of the shape
	JWTSecret  string
	MetricsURL string
	SQLURL     string
	SQLCommand string
	Each       []string // relationships that each person needs

	SpiceDBEndpoint string // empty: embedded
	SpiceDBToken    string
	SpiceDBInsecure bool
}

// Bind binds the options to flags.
func (o *Options) Bind(f *pflag.FlagSet) {
	f.StringVar(&o.URL, "url", "", "URL of the shape to measure, as http://localhost:8080/v1/shapes/documents; without it, everything is started by the tool")
	f.StringVar(&o.JWTSecret, "jwt-secret", "", "HS256 secret of the shapegate at --url (or SHAPEGATE_JWT_SECRET)")
	f.StringVar(&o.MetricsURL, "metrics-url", "", "metrics of the shapegate at --url, as http://localhost:9090/metrics")
	f.StringVar(&o.SQLURL, "sql-url", "", "where to POST SQL for the rows behind --url, as shapegate-dev's http://localhost:9091/sql")
	f.StringVar(&o.SQLCommand, "sql-command", "", "or a command that runs SQL from its standard input, as 'psql -h localhost demo'")
	f.StringArrayVar(&o.Each, "each", nil, "a relationship that each person needs, as 'workspace:main#member@user:{person}'")
	f.StringVar(&o.SpiceDBEndpoint, "spicedb-endpoint", "", "SpiceDB's gRPC address; needed with --url, instead of the embedded one without")
	f.StringVar(&o.SpiceDBToken, "spicedb-token", "", "SpiceDB's preshared key (or SPICEDB_TOKEN)")
	f.BoolVar(&o.SpiceDBInsecure, "spicedb-insecure", false, "speak to SpiceDB in plain text")
}

// Complete takes secrets that no flag gave from the environment, and checks that
// the options go together.
func (o *Options) Complete(getenv func(string) string) error {
	o.JWTSecret = cmp.Or(o.JWTSecret, getenv("SHAPEGATE_JWT_SECRET"))
	o.SpiceDBToken = cmp.Or(o.SpiceDBToken, getenv("SPICEDB_TOKEN"))
	for _, text := range o.Each {
		if !strings.Contains(text, world.PersonMark) {
			return fmt.Errorf("--each %q does not speak of %s", text, world.PersonMark)
		}
	}
	switch {
	case o.SpiceDBEndpoint != "" && o.SpiceDBToken == "":
		return errors.New("--spicedb-endpoint needs --spicedb-token")
	case o.URL == "" && (o.MetricsURL != "" || o.SQLURL != "" || o.SQLCommand != ""):
		return errors.New("--metrics-url, --sql-url and --sql-command belong to --url")
	case o.URL == "":
		return nil
	case o.JWTSecret == "":
		return errors.New("--url needs --jwt-secret")
	case o.SpiceDBEndpoint == "":
		return errors.New("--url needs --spicedb-endpoint")
	case (o.SQLURL == "") == (o.SQLCommand == ""):
		return errors.New("--url needs one of --sql-url and --sql-command")
	}
	return nil
}

// SpiceDB is how to reach the SpiceDB that is named.
func (o *Options) SpiceDB() spicedb.Config {
	return spicedb.Config{Endpoint: o.SpiceDBEndpoint, Token: o.SpiceDBToken, Insecure: o.SpiceDBInsecure}
}
