package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/environ"
	"github.com/shapegate/shapegate/cmd/internal/plural"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

// settings is everything that can be configured from outside, parsed. Which of
// it a command needs the command says itself; see require.
type settings struct {
	Listen      string
	AdminListen string
	ForwardAuth string // address; empty: none
	ExtAuthz    string // the same
	ShapesFile  string
	TLSCertFile string
	TLSKeyFile  string
	LogLevel    slog.Level

	// Secrets are kept apart from Gateway, so that they do not print with it.
	Secret         secret
	ElectricSecret secret
	SpiceDBToken   secret
	RedisURL       secret
	JWTSecret      secret

	// DatabaseURL names the Postgres that Electric reads. It is for check-config and init,
	// and an environment variable alone.
	DatabaseURL secret

	Rate int // requests a second of one subject

	// Gateway has everything else. gatewayConfig completes it.
	Gateway gateway.Config

	ignoreJWKS bool // a token is to be signed here, whatever the issuer's keys are

	raw map[string]*rawValue // by the variable's name
}

// secret is a setting that is not to be seen: it prints as a placeholder, in
// logs too.
type secret string

func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString keeps %#v from showing what %v does not.
func (s secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue implements slog.LogValuer.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, for JSON.
func (s secret) MarshalText() ([]byte, error) { //nolint:unparam // the interface has an error
	return []byte(s.String()), nil
}

// reveal returns the secret itself.
func (s secret) reveal() string { return string(s) }

// variable is one setting. The flag is named after the variable: --session-ttl sets
// SHAPEGATE_SESSION_TTL.
type variable struct {
	name   string
	def    string
	usage  string // for --help and SETTINGS.md
	secret bool   // errors and help must not show the value

	// parse checks a value, which is not empty, and stores it. Its errors do not
	// repeat the value.
	parse func(value string) error
}

func (v variable) flag() string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(v.name, environ.Prefix), "_", "-"))
}

// variables is the table of all settings. Flags, --help and SETTINGS.md come from
// it, in its order. A new setting is one line here.
func (s *settings) variables() []variable {
	g := &s.Gateway
	return []variable{
		{name: "SHAPEGATE_LISTEN", def: ":8080", usage: "address to serve clients on", parse: address(&s.Listen)},
		{name: "SHAPEGATE_ADMIN_LISTEN", def: "127.0.0.1:9090", usage: "address to serve /metrics, /healthz, /readyz and /explain on, without credentials", parse: address(&s.AdminListen)},
		{name: "SHAPEGATE_FORWARD_AUTH_LISTEN", usage: "address to serve /v1/authorize on, for Caddy, nginx or Traefik in front of Electric; clients must not reach it; without it there is none", parse: address(&s.ForwardAuth)},
		{name: "SHAPEGATE_EXT_AUTHZ_LISTEN", usage: "address to answer Envoy's ext_authz on, over gRPC; clients must not reach it; without it there is none", parse: address(&s.ExtAuthz)},
		{name: "SHAPEGATE_SHAPES", def: "schema/shapes.yaml", usage: "file of shape definitions", parse: text(&s.ShapesFile)},
		{name: "SHAPEGATE_LOG_LEVEL", def: "info", usage: "what is logged: debug, info, warn or error; debug also says of each request that was refused why", parse: level(&s.LogLevel)},
		{name: "SHAPEGATE_SECRET", secret: true, usage: "key for the handles that clients hold, at least 32 bytes, the same for all replicas; without it SHAPEGATE_JWT_SECRET is used, and without either a random one, with which clients begin anew after a restart", parse: key(&s.Secret)},
		{name: "SHAPEGATE_CORS_ORIGINS", usage: "origins whose pages may call, separated by commas; or * for any, without cookies", parse: origins(&g.Proxy.CORSOrigins)},
		{name: "SHAPEGATE_TLS_CERT_FILE", usage: "PEM file of the certificate to serve with, and HTTP/2 with it", parse: text(&s.TLSCertFile)},
		{name: "SHAPEGATE_TLS_KEY_FILE", usage: "PEM file of the certificate's key", parse: text(&s.TLSKeyFile)},

		{name: "ELECTRIC_URL", secret: true, usage: "base URL of Electric, as in http://electric:3000", parse: webURL(&g.Electric.URL)},
		{name: "ELECTRIC_SECRET", secret: true, usage: "Electric's API secret", parse: text(&s.ElectricSecret)},

		{name: "SPICEDB_ENDPOINT", usage: "host:port of SpiceDB's gRPC API", parse: text(&g.SpiceDB.Endpoint)},
		{name: "SPICEDB_TOKEN", secret: true, usage: "SpiceDB's preshared key", parse: text(&s.SpiceDBToken)},
		{name: "SPICEDB_INSECURE", def: "false", usage: "talk to SpiceDB without TLS", parse: boolean(&g.SpiceDB.Insecure)},
		{name: "SPICEDB_CA_FILE", usage: "PEM file of the authorities that may sign SpiceDB's certificate; without it, the system's", parse: text(&g.SpiceDB.CAFile)},

		{name: "REDIS_URL", secret: true, usage: "URL of the Redis that keeps sessions; without it there are none", parse: text(&s.RedisURL)},
		{name: "REDIS_CA_FILE", usage: "PEM file of the authorities that may sign Redis' certificate; without it, the system's", parse: text(&g.Redis.CAFile)},
		{name: "REDIS_CERT_FILE", usage: "PEM file of the certificate that Redis knows shapegate by, if it wants one", parse: text(&g.Redis.CertFile)},
		{name: "REDIS_KEY_FILE", usage: "PEM file of that certificate's key", parse: text(&g.Redis.KeyFile)},
		{name: "SHAPEGATE_SESSION_TTL", def: "15m", usage: "how long a session lasts at most, never longer than its JWT", parse: duration(&g.SessionTTL)},

		{name: "SHAPEGATE_SESSIONS_PER_SUBJECT", def: "100", usage: "how many sessions one subject may have; a further one ends the oldest", parse: number(&g.SessionsPerSubject)},
		{name: "SHAPEGATE_COOKIE_SAMESITE", def: "lax", usage: "which requests of other sites' pages carry the session cookie: strict, lax, or none, for an application on another site", parse: sameSite(&g.Proxy.Cookie.SameSite)},
		{name: "SHAPEGATE_COOKIE_SECURE", def: "true", usage: "false: the session cookie goes over plain HTTP too, for development on another host than localhost", parse: secure(&g.Proxy.Cookie.Insecure)},

		{name: "SHAPEGATE_JWT_SECRET", secret: true, usage: "secret of tokens signed with HS256, at least 32 bytes", parse: key(&s.JWTSecret)},
		{name: "SHAPEGATE_JWKS_URL", secret: true, usage: "where the issuer of tokens publishes its keys, in place of SHAPEGATE_JWT_SECRET", parse: webURL(&g.Identity.JWKSURL)},
		{name: "SHAPEGATE_JWT_ISSUER", usage: `what a token's "iss" must be; without it, anything`, parse: text(&g.Identity.Issuer)},
		{name: "SHAPEGATE_JWT_AUDIENCE", usage: `what a token's "aud" must contain; without it, anything`, parse: text(&g.Identity.Audience)},
		{name: "SHAPEGATE_SUBJECT_CLAIM", def: "sub", usage: "claim that has the subject's id", parse: text(&g.Identity.SubjectClaim)},
		{name: "SHAPEGATE_SUBJECT_TYPE", def: "user", usage: "subject's definition in SpiceDB's schema", parse: definition(&g.Identity.SubjectType)},

		{name: "SHAPEGATE_GATEKEEPER_KEY_FILE", usage: "PEM file of the private keys, Ed25519 or P-256, that tokens for single shapes are signed with, the signing one first; it is read again when it changes; without it there is no gatekeeper", parse: text(&g.Gatekeeper.KeyFile)},
		{name: "SHAPEGATE_GATEKEEPER_TTL", def: "5m", usage: "how long a token for one shape holds at most, never longer than what it was got with", parse: seconds(&g.Gatekeeper.Life)},
		{name: "SHAPEGATE_PUBLIC_URL", usage: "where clients reach shapegate, as in https://sync.example.com; without it, the gatekeeper's answers name the host of the request", parse: publicURL(&g.Proxy.PublicURL)},

		{name: "SHAPEGATE_MAX_STALENESS", def: "5s", usage: "how old the grants may be that an answer rests on", parse: duration(&g.MaxStaleness)},
		{name: "SHAPEGATE_RATE_PER_SUBJECT", def: "100", usage: "how many requests a second one subject may send", parse: number(&s.Rate)},
		{name: "SHAPEGATE_BURST_PER_SUBJECT", def: "200", usage: "how many of them at once", parse: number(&g.Proxy.Limits.Burst)},
		{name: "SHAPEGATE_CONCURRENCY_PER_SUBJECT", def: "16", usage: "how many requests of one subject are served at the same time, waiting ones apart", parse: number(&g.Proxy.Limits.Concurrent)},
		{name: "SHAPEGATE_MAX_READS", def: "200", usage: "how many snapshots are taken at Electric at the same time, for everybody; Electric admits 300", parse: number(&g.Proxy.Limits.Reads)},
		{name: "SHAPEGATE_MAX_WAITING", def: "50000", usage: "how many long-polls and event streams may be open", parse: number(&g.Proxy.Waiting)},
		{name: "SHAPEGATE_MAX_WAITING_PER_SUBJECT", def: "500", usage: "how many of them one subject may have open", parse: number(&g.Proxy.WaitingPerSubject)},
		{name: "SHAPEGATE_MAX_FEEDS", def: "1000", usage: "how many logs of Electric may be followed; each value of a shape's params is one", parse: number(&g.Proxy.Feeds.Feeds)},
		{name: "SHAPEGATE_MAX_FEEDS_PER_SUBJECT", def: "100", usage: "how many of them may be followed for one subject alone", parse: number(&g.Proxy.Feeds.PerSubject)},
		{name: "SHAPEGATE_FEED_MEMORY", def: "64", usage: "MiB of logs and answers to keep in memory", parse: mebibytes(&g.Proxy.Feeds.Memory)},
	}
}

// gatewayConfig is the gateway that the settings describe.
func (s *settings) gatewayConfig(shapes schema.File, log *slog.Logger) gateway.Config {
	g := s.Gateway
	g.Shapes, g.Logger = shapes, log
	g.SpiceDB = s.spicedbConfig()
	g.Electric = s.electricConfig()
	g.Identity = s.identityConfig()
	g.Redis = s.redisConfig()
	g.Secret = s.handleSecret(log)
	g.Proxy.Limits.Rate = float64(s.Rate)
	return g
}

// spicedbConfig says where SpiceDB is.
func (s *settings) spicedbConfig() spicedb.Config {
	c := s.Gateway.SpiceDB
	c.Token = s.SpiceDBToken.reveal()
	return c
}

// identityConfig says which tokens hold.
func (s *settings) identityConfig() identity.Config {
	c := s.Gateway.Identity
	c.Secret = []byte(s.JWTSecret.reveal())
	return c
}

// electricConfig says where Electric is.
func (s *settings) electricConfig() electric.Config {
	c := s.Gateway.Electric
	c.Secret = s.ElectricSecret.reveal()
	return c
}

// redisConfig says where Redis is.
func (s *settings) redisConfig() session.RedisConfig {
	c := s.Gateway.Redis
	c.URL = s.RedisURL.reveal()
	return c
}

// handleSecret is the key of the handles that clients hold.
func (s *settings) handleSecret(log *slog.Logger) []byte {
	switch {
	case s.Secret != "":
		return []byte(s.Secret.reveal())
	case s.JWTSecret != "":
		return []byte(s.JWTSecret.reveal()) // keys of its own are derived from it
	}
	log.Warn("SHAPEGATE_SECRET is not set: clients begin anew after a restart, and whenever they meet another replica")
	return []byte(rand.Text() + rand.Text())
}

// rawValue is a flag's value before it is parsed. Parsing comes later, with that
// of the environment: the flag package would repeat a bad value in its error,
// and show a secret as the default in help.
type rawValue struct {
	text string
	set  bool
	kind string
	hide bool
}

func (v *rawValue) String() string {
	if v.hide {
		return ""
	}
	return v.text
}

func (v *rawValue) Set(text string) error {
	v.text, v.set = text, true
	return nil
}

func (v *rawValue) Type() string { return v.kind }

// bind adds a flag for every variable.
func (s *settings) bind(flags *pflag.FlagSet) {
	flags.SortFlags = false
	s.raw = map[string]*rawValue{}
	for _, v := range s.variables() {
		raw := &rawValue{text: v.def, kind: "string", hide: v.secret}
		s.raw[v.name] = raw
		flag := flags.VarPF(raw, v.flag(), "", v.usage+" ("+v.name+")")
		if v.def == "false" {
			raw.kind, flag.NoOptDefVal = "bool", "true"
		}
	}
}

// load takes every setting from its flag if that was given, else from its
// environment variable if that is not empty, else from its default, and parses
// it. The error joins everything that is wrong, each with the variable's name and
// never with its value.
func (s *settings) load(getenv func(string) string) error {
	var errs []error
	s.DatabaseURL = secret(getenv("DATABASE_URL"))
	for _, v := range s.variables() {
		value := s.raw[v.name].text
		if !s.raw[v.name].set {
			value = cmp.Or(getenv(v.name), v.def)
		}
		if value == "" {
			continue
		}
		if err := v.parse(value); err != nil {
			errs = append(errs, fmt.Errorf("%s (--%s): %w", v.name, v.flag(), err))
		}
		s.raw[v.name].text = value
	}
	return errors.Join(append(errs, s.contradictions()...)...)
}

// unknown returns a line for each variable that begins like shapegate's own and is
// none of them.
func (s *settings) unknown(variables []string) []string {
	var names []string
	for _, v := range s.variables() {
		names = append(names, v.name)
	}
	return environ.Unknown(variables, names)
}

func (s *settings) contradictions() []error {
	var errs []error
	if s.JWTSecret != "" && s.Gateway.Identity.JWKSURL != "" && !s.ignoreJWKS {
		errs = append(errs, errors.New("SHAPEGATE_JWT_SECRET and SHAPEGATE_JWKS_URL exclude each other"))
	}
	if s.Gateway.SpiceDB.Insecure && s.Gateway.SpiceDB.CAFile != "" {
		errs = append(errs, errors.New("SPICEDB_INSECURE and SPICEDB_CA_FILE exclude each other"))
	}
	if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
		errs = append(errs, errors.New("SHAPEGATE_TLS_CERT_FILE and SHAPEGATE_TLS_KEY_FILE need each other"))
	}
	return errs
}

// require reports those of the settings that have no value, together and in the
// table's order. "A|B" means that one of the two is needed.
func (s *settings) require(needed ...string) error {
	var missing []string
	for _, v := range s.variables() {
		for _, n := range needed {
			if either := strings.Split(n, "|"); either[0] == v.name && !s.hasAny(either) {
				missing = append(missing, spell(either))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &exitError{exitNoAnswer, fmt.Errorf("not set: %s", strings.Join(missing, ", "))}
}

func (s *settings) hasAny(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return s.raw[name].text != "" })
}

// spell names settings by variable and flag: "A (--a) or B (--b)".
func spell(names []string) string {
	var spelled []string
	for _, name := range names {
		spelled = append(spelled, fmt.Sprintf("%s (--%s)", name, variable{name: name}.flag()))
	}
	return strings.Join(spelled, " or ")
}

func text[T ~string](field *T) func(string) error {
	return func(value string) error {
		*field = T(value)
		return nil
	}
}

func key(field *secret) func(string) error {
	return func(value string) error {
		if len(value) < identity.MinSecretSize {
			return fmt.Errorf("has %s and needs at least %d: make one with openssl rand -hex 32", plural.Count(len(value), "byte"), identity.MinSecretSize)
		}
		*field = secret(value)
		return nil
	}
}

func boolean(field *bool) func(string) error {
	return func(value string) (err error) {
		if *field, err = strconv.ParseBool(value); err != nil {
			return errors.New("must be true or false")
		}
		return nil
	}
}

func level(field *slog.Level) func(string) error {
	return func(value string) error {
		if err := field.UnmarshalText([]byte(value)); err != nil {
			return errors.New("must be debug, info, warn or error")
		}
		return nil
	}
}

func duration(field *time.Duration) func(string) error {
	return func(value string) (err error) {
		if *field, err = time.ParseDuration(value); err != nil || *field <= 0 {
			return errors.New("must be a duration above zero, as in 90s or 15m")
		}
		return nil
	}
}

// seconds reads a duration of a second at least: JWTs count in seconds.
func seconds(field *time.Duration) func(string) error {
	read := duration(field)
	return func(value string) error {
		err := read(value)
		if err == nil && *field < time.Second {
			err = errors.New("must be a second at least")
		}
		return err
	}
}

// mostNumber keeps what is computed from a number within range.
const mostNumber = 1_000_000

func number(field *int) func(string) error {
	return func(value string) (err error) {
		if *field, err = strconv.Atoi(value); err != nil || *field <= 0 || *field > mostNumber {
			return fmt.Errorf("must be a number from 1 to %d", mostNumber)
		}
		return nil
	}
}

func mebibytes(field *int) func(string) error {
	count := number(field)
	return func(value string) error {
		err := count(value)
		*field <<= 20
		return err
	}
}

// definition reads the name of a definition in SpiceDB's schema.
func definition(field *string) func(string) error {
	return func(value string) error {
		if _, err := authz.NewObjectRef(value, "id"); err != nil {
			return errors.New("must be the name of a definition, as in user or tenant/user")
		}
		*field = value
		return nil
	}
}

func address(field *string) func(string) error {
	return func(value string) error {
		if _, port, err := net.SplitHostPort(value); err != nil || port == "" {
			return errors.New("must be host:port or :port")
		}
		*field = value
		return nil
	}
}

// webURL reads a URL, whose user part may hold a password: no error repeats it.
func webURL(field *string) func(string) error {
	return func(value string) error {
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("must be a URL that begins with http:// or https://")
		}
		*field = value
		return nil
	}
}

// publicURL reads a URL that clients are given: it holds no password, and nothing that would
// stand behind the path.
func publicURL(field *string) func(string) error {
	return func(value string) error {
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("must be a URL that begins with http:// or https://, without a password and a query")
		}
		*field = strings.TrimSuffix(value, "/")
		return nil
	}
}

// secure reads whether a cookie is Secure into a field that says the opposite.
func secure(insecure *bool) func(string) error {
	isSecure := boolean(insecure)
	return func(value string) error {
		err := isSecure(value)
		*insecure = !*insecure
		return err
	}
}

func sameSite(field *http.SameSite) func(string) error {
	return func(value string) error {
		sites := map[string]http.SameSite{"strict": http.SameSiteStrictMode, "lax": http.SameSiteLaxMode, "none": http.SameSiteNoneMode}
		site, ok := sites[strings.ToLower(value)]
		if !ok {
			return errors.New("must be strict, lax or none")
		}
		*field = site
		return nil
	}
}

func origins(field *[]string) func(string) error {
	return func(value string) (err error) {
		*field, err = environ.Origins(value)
		return err
	}
}
