package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// settings is everything that can be configured from outside, parsed. Which of
// it a command needs the command says itself; see require.
type settings struct {
	Listen      string
	AdminListen string
	ShapesFile  string
	Secret      secret
	CORSOrigins []string
	TLSCertFile string
	TLSKeyFile  string

	ElectricURL    string
	ElectricSecret secret

	SpiceDBEndpoint string
	SpiceDBToken    secret
	SpiceDBInsecure bool
	SpiceDBCAFile   string

	RedisURL   secret
	SessionTTL time.Duration

	// Decisions.
	MaxStaleness time.Duration

	// Limits.
	MaxWaiting, MaxWaitingPerSubject int
	MaxFeeds, MaxFeedsPerSubject     int
	FeedMemory                       int // MiB

	JWTSecret    secret
	JWKSURL      string
	JWTIssuer    string
	JWTAudience  string
	SubjectClaim string
	SubjectType  string

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

// variable is one setting, as it is seen from outside.
type variable struct {
	name   string // of the environment variable
	flag   string
	def    string
	usage  string
	secret bool // errors and help must not show the value

	// parse checks text, which is not empty, and stores it. Its errors do not
	// repeat text.
	parse func(s *settings, text string) error
}

// variables are all settings, in the order that help shows them.
var variables = []variable{
	{
		name: "SHAPEGATE_LISTEN", flag: "listen", def: ":8080", usage: "address to serve clients on",
		parse: address(func(s *settings) *string { return &s.Listen }),
	},
	{
		name: "SHAPEGATE_ADMIN_LISTEN", flag: "admin-listen", def: "127.0.0.1:9090", usage: "address to serve /metrics, /healthz and /readyz on",
		parse: address(func(s *settings) *string { return &s.AdminListen }),
	},
	{
		name: "SHAPEGATE_SHAPES", flag: "shapes", def: "schema/shapes.yaml", usage: "file of shape definitions",
		parse: text(func(s *settings) *string { return &s.ShapesFile }),
	},
	{
		name: "SHAPEGATE_SECRET", flag: "secret", secret: true, usage: "key for the handles that clients hold, at least 32 bytes; the same for all replicas",
		parse: key(func(s *settings) *secret { return &s.Secret }),
	},
	{
		name: "SHAPEGATE_CORS_ORIGINS", flag: "cors-origins", usage: "origins whose pages may call, separated by commas; or * for any, without cookies",
		parse: parseOrigins,
	},
	{
		name: "SHAPEGATE_TLS_CERT_FILE", flag: "tls-cert-file", usage: "PEM file of the certificate to serve with",
		parse: text(func(s *settings) *string { return &s.TLSCertFile }),
	},
	{
		name: "SHAPEGATE_TLS_KEY_FILE", flag: "tls-key-file", usage: "PEM file of the certificate's key",
		parse: text(func(s *settings) *string { return &s.TLSKeyFile }),
	},
	{
		name: "ELECTRIC_URL", flag: "electric-url", secret: true, usage: "base URL of Electric, as in http://electric:3000",
		parse: webURL(func(s *settings) *string { return &s.ElectricURL }),
	},
	{
		name: "ELECTRIC_SECRET", flag: "electric-secret", secret: true, usage: "Electric's API secret",
		parse: hidden(func(s *settings) *secret { return &s.ElectricSecret }),
	},
	{
		name: "SPICEDB_ENDPOINT", flag: "spicedb-endpoint", usage: "host:port of SpiceDB's gRPC API",
		parse: text(func(s *settings) *string { return &s.SpiceDBEndpoint }),
	},
	{
		name: "SPICEDB_TOKEN", flag: "spicedb-token", secret: true, usage: "SpiceDB's preshared key",
		parse: hidden(func(s *settings) *secret { return &s.SpiceDBToken }),
	},
	{
		name: "SPICEDB_INSECURE", flag: "spicedb-insecure", def: "false", usage: "talk to SpiceDB without TLS",
		parse: boolean(func(s *settings) *bool { return &s.SpiceDBInsecure }),
	},
	{
		name: "SPICEDB_CA_FILE", flag: "spicedb-ca-file", usage: "PEM file of the authorities that may sign SpiceDB's certificate",
		parse: text(func(s *settings) *string { return &s.SpiceDBCAFile }),
	},
	{
		name: "REDIS_URL", flag: "redis-url", secret: true, usage: "URL of the Redis that keeps sessions; without it there are none",
		parse: hidden(func(s *settings) *secret { return &s.RedisURL }),
	},
	{
		name: "SHAPEGATE_SESSION_TTL", flag: "session-ttl", def: "15m", usage: "how long a session lasts at most",
		parse: duration(func(s *settings) *time.Duration { return &s.SessionTTL }),
	},
	{
		name: "SHAPEGATE_MAX_STALENESS", flag: "max-staleness", def: "5s", usage: "how old grants may be that an answer rests on",
		parse: duration(func(s *settings) *time.Duration { return &s.MaxStaleness }),
	},
	{
		name: "SHAPEGATE_MAX_WAITING", flag: "max-waiting", def: "50000", usage: "how many long-polls and event streams may be open",
		parse: number(func(s *settings) *int { return &s.MaxWaiting }),
	},
	{
		name: "SHAPEGATE_MAX_WAITING_PER_SUBJECT", flag: "max-waiting-per-subject", def: "500", usage: "and how many of one subject",
		parse: number(func(s *settings) *int { return &s.MaxWaitingPerSubject }),
	},
	{
		name: "SHAPEGATE_MAX_FEEDS", flag: "max-feeds", def: "1000", usage: "how many logs of Electric may be followed, each value of a shape's params being one",
		parse: number(func(s *settings) *int { return &s.MaxFeeds }),
	},
	{
		name: "SHAPEGATE_MAX_FEEDS_PER_SUBJECT", flag: "max-feeds-per-subject", def: "100", usage: "and how many for one subject alone",
		parse: number(func(s *settings) *int { return &s.MaxFeedsPerSubject }),
	},
	{
		name: "SHAPEGATE_FEED_MEMORY", flag: "feed-memory", def: "64", usage: "MiB of logs and answers to keep for those who come back",
		parse: number(func(s *settings) *int { return &s.FeedMemory }),
	},
	{
		name: "SHAPEGATE_JWT_SECRET", flag: "jwt-secret", secret: true, usage: "secret of tokens signed with HS256, at least 32 bytes",
		parse: key(func(s *settings) *secret { return &s.JWTSecret }),
	},
	{
		name: "SHAPEGATE_JWKS_URL", flag: "jwks-url", secret: true, usage: "where the issuer of tokens publishes its keys",
		parse: webURL(func(s *settings) *string { return &s.JWKSURL }),
	},
	{
		name: "SHAPEGATE_JWT_ISSUER", flag: "jwt-issuer", usage: `what a token's "iss" must be`,
		parse: text(func(s *settings) *string { return &s.JWTIssuer }),
	},
	{
		name: "SHAPEGATE_JWT_AUDIENCE", flag: "jwt-audience", usage: `what a token's "aud" must contain`,
		parse: text(func(s *settings) *string { return &s.JWTAudience }),
	},
	{
		name: "SHAPEGATE_SUBJECT_CLAIM", flag: "subject-claim", def: "sub", usage: "claim that names the subject",
		parse: text(func(s *settings) *string { return &s.SubjectClaim }),
	},
	{
		name: "SHAPEGATE_SUBJECT_TYPE", flag: "subject-type", def: "user", usage: "definition that subjects belong to",
		parse: text(func(s *settings) *string { return &s.SubjectType }),
	},
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
	s.raw = make(map[string]*rawValue, len(variables))
	for _, v := range variables {
		raw := &rawValue{text: v.def, kind: "string", hide: v.secret}
		s.raw[v.name] = raw
		flag := flags.VarPF(raw, v.flag, "", v.usage+" ("+v.name+")")
		if v.def == "false" {
			raw.kind, flag.NoOptDefVal = "bool", "true"
		}
	}
}

// load takes every setting from its flag if that was given, else from its
// environment variable if that is not empty, else from its default, and parses
// it. The error joins whatever is wrong, each with the variable's name and never
// with its value.
func (s *settings) load(getenv func(string) string) error {
	var errs []error
	for _, v := range variables {
		value := s.raw[v.name].text
		if !s.raw[v.name].set {
			value = cmp.Or(getenv(v.name), v.def)
		}
		if value == "" {
			continue
		}
		if err := v.parse(s, value); err != nil {
			errs = append(errs, fmt.Errorf("%s (--%s): %w", v.name, v.flag, err))
		}
		s.raw[v.name].text = value
	}
	return errors.Join(append(errs, s.contradictions()...)...)
}

func (s *settings) contradictions() []error {
	var errs []error
	if s.JWTSecret != "" && s.JWKSURL != "" {
		errs = append(errs, errors.New("SHAPEGATE_JWT_SECRET and SHAPEGATE_JWKS_URL exclude each other"))
	}
	if s.SpiceDBInsecure && s.SpiceDBCAFile != "" {
		errs = append(errs, errors.New("SPICEDB_INSECURE and SPICEDB_CA_FILE exclude each other"))
	}
	if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
		errs = append(errs, errors.New("SHAPEGATE_TLS_CERT_FILE and SHAPEGATE_TLS_KEY_FILE need each other"))
	}
	return errs
}

// require reports those of the variables that have no value, together.
func (s *settings) require(names ...string) error {
	var missing []string
	for _, v := range variables {
		if slices.Contains(names, v.name) && s.raw[v.name].text == "" {
			missing = append(missing, fmt.Sprintf("%s (--%s)", v.name, v.flag))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &exitError{exitNoAnswer, fmt.Errorf("not set: %s", strings.Join(missing, ", "))}
}

func text(field func(*settings) *string) func(*settings, string) error {
	return func(s *settings, text string) error {
		*field(s) = text
		return nil
	}
}

func hidden(field func(*settings) *secret) func(*settings, string) error {
	return func(s *settings, text string) error {
		*field(s) = secret(text)
		return nil
	}
}

// minKey is what HS256 needs at least (RFC 7518, section 3.2).
const minKey = 32

func key(field func(*settings) *secret) func(*settings, string) error {
	return func(s *settings, text string) error {
		if len(text) < minKey {
			return fmt.Errorf("has %d bytes and needs at least %d", len(text), minKey)
		}
		*field(s) = secret(text)
		return nil
	}
}

func boolean(field func(*settings) *bool) func(*settings, string) error {
	return func(s *settings, text string) error {
		value, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("must be true or false")
		}
		*field(s) = value
		return nil
	}
}

func duration(field func(*settings) *time.Duration) func(*settings, string) error {
	return func(s *settings, text string) error {
		value, err := time.ParseDuration(text)
		if err != nil || value <= 0 {
			return errors.New("must be a duration above zero, as in 90s or 15m")
		}
		*field(s) = value
		return nil
	}
}

// mostNumber keeps what is computed from a number within range.
const mostNumber = 1_000_000

func number(field func(*settings) *int) func(*settings, string) error {
	return func(s *settings, text string) error {
		value, err := strconv.Atoi(text)
		if err != nil || value <= 0 || value > mostNumber {
			return fmt.Errorf("must be a number from 1 to %d", mostNumber)
		}
		*field(s) = value
		return nil
	}
}

func address(field func(*settings) *string) func(*settings, string) error {
	return func(s *settings, text string) error {
		if _, port, err := net.SplitHostPort(text); err != nil || port == "" {
			return errors.New("must be host:port or :port")
		}
		*field(s) = text
		return nil
	}
}

// webURL reads a URL, whose user part may hold a password: no error repeats it.
func webURL(field func(*settings) *string) func(*settings, string) error {
	return func(s *settings, text string) error {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("must be a URL that begins with http:// or https://")
		}
		*field(s) = text
		return nil
	}
}

func parseOrigins(s *settings, text string) error {
	var origins []string
	for origin := range strings.SplitSeq(text, ",") {
		if origin = strings.TrimSpace(origin); origin == "" {
			continue
		}
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host) {
			return errors.New("must be origins of the form scheme://host[:port], separated by commas, or *")
		}
		origins = append(origins, origin)
	}
	if len(origins) > 1 && slices.Contains(origins, "*") {
		return errors.New("has * beside other origins")
	}
	s.CORSOrigins = origins
	return nil
}
