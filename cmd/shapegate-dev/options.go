package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/environ"
	"github.com/shapegate/shapegate/cmd/internal/plural"
	"github.com/shapegate/shapegate/proxy/electric"
)

// options are the settings of a start.
type options struct {
	listen  string
	origins []string
	tls     bool
	verbose bool

	files  files
	people []string

	jwtSecret string
	cache     string // the folder for what is kept across starts

	// Parts that are real; empty: embedded.
	spicedb  spicedb.Config
	electric electric.Config
	redisURL string

	// databaseURL is of the Postgres that a real Electric reads, for the demo's page.
	databaseURL string
}

// files replace the demo's.
type files struct{ schema, relationships, sql, shapes string }

// exported is a variable that the printed export line sets for the shapegate command alone.
const exported = "SHAPEGATE_ADMIN_LISTEN"

// variables are those of shapegate's own that shapegate-dev reads.
var variables = []string{"SHAPEGATE_LISTEN", "SHAPEGATE_SHAPES", "SHAPEGATE_JWT_SECRET", "SHAPEGATE_CORS_ORIGINS"}

// parseOptions reads flags, which win, and the environment. For --help it prints the
// help and returns pflag.ErrHelp.
func parseOptions(args, env []string, out, errs io.Writer) (options, error) {
	for _, line := range environ.Unknown(env, append([]string{exported}, variables...)) {
		fmt.Fprintln(errs, "shapegate-dev: warning:", line)
	}
	get := environ.Lookup(env)
	var o options
	var origins string
	flags := pflag.NewFlagSet("shapegate-dev", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprintf(out, "Run SpiceDB, a stand-in for Electric, sessions and shapegate in one process, with a\ndemo in them or what you bring. Not for production.\n\nUsage:\n  shapegate-dev [flags]\n\nFlags:\n%s\n%s", flags.FlagUsages(), environmentHelp)
	}
	flags.StringVar(&o.listen, "listen", get("SHAPEGATE_LISTEN"), "address to serve clients on; 127.0.0.1:8080, or any port if that is taken (SHAPEGATE_LISTEN)")
	flags.BoolVar(&o.tls, "tls", false, "serve HTTPS and HTTP/2 with a certificate of its own, for pages with more than six collections")
	flags.StringVar(&origins, "cors-origins", cmp.Or(get("SHAPEGATE_CORS_ORIGINS"), "*"), "origins whose pages may call, separated by commas; or * for any, without cookies (SHAPEGATE_CORS_ORIGINS)")
	flags.StringVar(&o.files.schema, "schema", "", "file of a SpiceDB schema, in place of the demo's and its relationships; with --relationships and --shapes")
	flags.StringVar(&o.files.relationships, "relationships", "", "file of relationships, one a line, in place of the demo's; lines that begin with // or # are comments")
	flags.StringVar(&o.files.sql, "sql", "", "file of CREATE TABLE and INSERT statements, in place of the demo's rows")
	flags.StringVar(&o.files.shapes, "shapes", get("SHAPEGATE_SHAPES"), "file of shape definitions, in place of the demo's (SHAPEGATE_SHAPES)")
	flags.StringSliceVar(&o.people, "people", nil, "ids of subjects to print tokens for, in place of those whom --relationships names, or the demo's")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "log every request")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("%q is no flag: see --help", flags.Arg(0))
	}
	if err != nil {
		return o, err
	}
	if o.origins, err = environ.Origins(origins); err != nil {
		return o, fmt.Errorf("SHAPEGATE_CORS_ORIGINS (--cors-origins): %w", err)
	}
	return o, o.fromEnvironment(get)
}

const environmentHelp = `Real parts, in place of embedded ones:
  ELECTRIC_URL, ELECTRIC_SECRET, and DATABASE_URL of its Postgres for the demo's page
  SPICEDB_ENDPOINT, SPICEDB_TOKEN, SPICEDB_INSECURE, SPICEDB_CA_FILE
  REDIS_URL

SHAPEGATE_JWT_SECRET signs the printed tokens. Without it a secret is made at the
first start, and kept in your cache folder.
`

func (o *options) fromEnvironment(get func(string) string) error {
	o.jwtSecret = get("SHAPEGATE_JWT_SECRET")
	if n := len(o.jwtSecret); n > 0 && n < secretSize {
		return fmt.Errorf("SHAPEGATE_JWT_SECRET: has %s and needs at least %d: make one with openssl rand -hex 32", plural.Count(n, "byte"), secretSize)
	}
	o.electric = electric.Config{URL: get("ELECTRIC_URL"), Secret: get("ELECTRIC_SECRET")}
	if o.electric.URL != "" && o.files.sql != "" {
		return errors.New("--sql is for the stand-in, and ELECTRIC_URL names an Electric of yours")
	}
	insecure, err := strconv.ParseBool(cmp.Or(get("SPICEDB_INSECURE"), "false"))
	if err != nil {
		return errors.New("SPICEDB_INSECURE is neither true nor false")
	}
	o.spicedb = spicedb.Config{Endpoint: get("SPICEDB_ENDPOINT"), Token: get("SPICEDB_TOKEN"), Insecure: insecure, CAFile: get("SPICEDB_CA_FILE")}
	o.redisURL, o.databaseURL = get("REDIS_URL"), get("DATABASE_URL")
	// XDG_CACHE_HOME and HOME are taken from the same environment.
	o.cache = cmp.Or(get("XDG_CACHE_HOME"), homeCache(get))
	if o.cache != "" {
		o.cache = filepath.Join(o.cache, "shapegate-dev")
	}
	return nil
}

// homeCache returns the user's cache folder, or "" if there is none.
func homeCache(get func(string) string) string {
	if get("HOME") == "" && get("LocalAppData") == "" {
		return ""
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return folder
}
