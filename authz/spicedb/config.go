package spicedb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/authzed/grpcutil"
	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/shapegate/shapegate/authz"
)

// Config says where SpiceDB is and how to ask it.
type Config struct {
	// Endpoint is host:port, or any target that gRPC resolves.
	Endpoint string

	// Token is the preshared key, SpiceDB's --grpc-preshared-key.
	Token string

	// Insecure sends everything in plain text, the preshared key included. The
	// default is TLS.
	Insecure bool

	// CAFile is a PEM file of the authorities that may have signed SpiceDB's
	// certificate. Empty means the system's.
	CAFile string

	// Timeout bounds a check, or some hundreds in one call, the question for the
	// newest revision and a heartbeat, retries included, within what the
	// caller's context allows. A single attempt may take half of it. 3 s by
	// default.
	Timeout time.Duration

	// LookupTimeout bounds a lookup with all its resumptions, and every other call
	// but the watch, which has no end. 30 s by default.
	LookupTimeout time.Duration

	// Dialer replaces the network: it opens a connection to Endpoint, which is
	// then not resolved. For an engine in the same process.
	Dialer func(ctx context.Context, endpoint string) (net.Conn, error)

	// Registerer receives the metrics of calls: count, code and duration by
	// method (grpc_client_*). None if nil.
	Registerer prometheus.Registerer

	// TracerProvider receives a span for each call. Nil means OpenTelemetry's
	// global one.
	TracerProvider trace.TracerProvider

	// Logger gets what an operator has to put right, such as a preshared key
	// that SpiceDB refuses. slog.Default() if nil.
	Logger *slog.Logger
}

const (
	defaultTimeout       = 3 * time.Second
	defaultLookupTimeout = 30 * time.Second
)

func (c *Config) validate() error {
	switch {
	case c.Endpoint == "":
		return errors.New("no endpoint")
	case c.Token == "":
		return errors.New("no preshared key: set SPICEDB_TOKEN")
	case c.Insecure && c.CAFile != "":
		return errors.New("a CA file is of no use without TLS")
	case c.Timeout < 0 || c.LookupTimeout < 0:
		return errors.New("a timeout is negative")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.LookupTimeout == 0 {
		c.LookupTimeout = defaultLookupTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

// Dial returns a client for the server that cfg names. It does not wait for the
// server, which may well be away: Ready says whether it answers. Errors are
// Invalid and mean that cfg cannot work.
func Dial(cfg Config) (*Client, error) {
	const op = "dial SpiceDB"
	if err := cfg.validate(); err != nil {
		return nil, authz.E(authz.Invalid, op, err)
	}
	security, err := cfg.security()
	if err != nil {
		return nil, authz.E(authz.Invalid, op, err)
	}
	metrics, err := cfg.metrics()
	if err != nil {
		return nil, authz.E(authz.Invalid, op, err)
	}
	var traces []otelgrpc.Option
	if cfg.TracerProvider != nil {
		traces = append(traces, otelgrpc.WithTracerProvider(cfg.TracerProvider))
	}
	options := append(append(security, metrics...),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(traces...)),
		grpc.WithDefaultServiceConfig(serviceConfig),
		// The resolver must not ask DNS for a service config: where DNS does not
		// answer, that alone takes 8 s. A config from there is not wanted anyway.
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(reconnect),
		grpc.WithKeepaliveParams(keepAlive))
	target := cfg.Endpoint
	if cfg.Dialer != nil {
		target = "passthrough:///" + cfg.Endpoint
		options = append(options, grpc.WithContextDialer(cfg.Dialer))
	}
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, authz.E(authz.Invalid, op, err)
	}
	return newClient(conn, cfg), nil
}

// Where the endpoint resolves to several servers, all are used.
const serviceConfig = `{"loadBalancingConfig":[{"round_robin":{}}]}`

// gRPC's default waits up to two minutes between attempts to connect. For so
// long after SpiceDB is back, every request would be refused.
var reconnect = grpc.ConnectParams{
	Backoff: backoff.Config{
		BaseDelay:  100 * time.Millisecond,
		Multiplier: 1.6,
		Jitter:     0.2,
		MaxDelay:   3 * time.Second,
	},
	MinConnectTimeout: 5 * time.Second,
}

// SpiceDB sets no keepalive enforcement policy, so gRPC's default holds: a server
// closes the connection of a client that pings more often than every five
// minutes while no data flow, or at all while no call is open. What finds a dead
// peer sooner is the Timeout, which on Linux is also the TCP_USER_TIMEOUT of the
// socket: unacknowledged data break the connection after it (gRFC A18).
var keepAlive = keepalive.ClientParameters{
	Time:    6 * time.Minute,
	Timeout: 10 * time.Second,
}

func (c *Config) security() ([]grpc.DialOption, error) {
	if c.Insecure {
		return []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpcutil.WithInsecureBearerToken(c.Token),
		}, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12} // no RootCAs: the system's
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file: no certificate in %s", c.CAFile)
		}
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpcutil.WithBearerToken(c.Token),
	}, nil
}

func (c *Config) metrics() ([]grpc.DialOption, error) {
	if c.Registerer == nil {
		return nil, nil
	}
	m := grpcprom.NewClientMetrics(grpcprom.WithClientHandlingTimeHistogram())
	if err := c.Registerer.Register(m); err != nil {
		var already prometheus.AlreadyRegisteredError
		if !errors.As(err, &already) {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		// Another client of this process. They count together.
		existing, ok := already.ExistingCollector.(*grpcprom.ClientMetrics)
		if !ok {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		m = existing
	}
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(m.UnaryClientInterceptor()),
		grpc.WithChainStreamInterceptor(m.StreamClientInterceptor()),
	}, nil
}
