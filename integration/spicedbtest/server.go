package spicedbtest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/grpcutil"
	"github.com/authzed/spicedb/pkg/cmd/datastore"
	"github.com/authzed/spicedb/pkg/cmd/server"
	"github.com/authzed/spicedb/pkg/cmd/util"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// DefaultToken is the preshared key of a server whose Config names none.
const DefaultToken = "spicedbtest"

// Config describes the engine to start. The zero Config is an empty engine that
// answers in process only.
type Config struct {
	// Schema is written at the start, if it is not empty.
	Schema string

	// Relationships are written at the start, each in the form that SpiceDB's
	// tools use: "document:readme#viewer@user:alice".
	Relationships []string

	// Token is the preshared key, DefaultToken if empty. In-process connections
	// must present it too.
	Token string

	// ListenAddr is the TCP address to serve on, such as "127.0.0.1:0" for any
	// free port. Empty means none.
	ListenAddr string

	// TLS serves the TCP address with TLS. In-process connections stay plain.
	TLS *tls.Config

	// LookupResourcesVersion selects the implementation of LookupResources, as
	// SpiceDB's --experimental-lookup-resources-version does: "" or "lr3".
	LookupResourcesVersion string

	// GCWindow is how long the engine can be asked about a revision after the next
	// one was written, 24 hours if zero.
	GCWindow time.Duration

	// ReadOnly has the engine refuse every write once it has started, as SpiceDB's
	// --datastore-readonly does.
	ReadOnly bool
}

// Server is a running engine. It is safe for concurrent use.
type Server struct {
	token string
	front *front
	admin *grpc.ClientConn
	calls *calls

	stop context.CancelFunc
	done chan struct{} // closed when the engine has ended
	err  error         // why the engine ended; written before done is closed

	closing sync.Once
}

// New starts an engine and returns when it answers and holds the schema and the
// relationships of cfg. The context bounds the start only; the engine runs until
// Close.
func New(ctx context.Context, cfg Config) (*Server, error) {
	token := cmp.Or(cfg.Token, DefaultToken)

	// The engine's context outlives ctx: it ends with Close.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	calls := newCalls()
	engine, listeners, err := engineConfig(token, cfg, calls).CompleteForTesting(running)
	if err != nil {
		stop()
		return nil, fmt.Errorf("spicedbtest: configure the engine: %w", err)
	}
	s := &Server{token: token, calls: calls, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = engine.Run(running)
	}()

	s.front = newFront(listeners.GRPC, cfg.TLS)
	s.admin, err = dialAdmin(listeners.GRPC, token)
	if err == nil && cfg.ListenAddr != "" {
		err = s.front.listen(ctx, cfg.ListenAddr)
	}
	if err == nil && !cfg.ReadOnly {
		err = s.load(ctx, cfg)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spicedbtest: %w", err), s.Close())
	}
	return s, nil
}

// engineConfig is the engine in memory and alone: no ports of its own, no
// telemetry, no dispatch to other nodes, and no caches whose metrics would be
// registered for the whole process, so that several engines can run in one.
func engineConfig(token string, cfg Config, calls *calls) *server.Config {
	const updatesPerWrite = 1000 // SpiceDB's default
	off := server.CacheConfig{Enabled: false, Metrics: false}
	return server.NewConfigWithOptionsAndDefaults(append(calls.options(),
		server.WithGRPCServer(util.GRPCServerConfig{
			Network:    util.BufferedNetwork,
			Enabled:    true,
			BufferSize: bufferSize,
		}),
		server.WithPresharedSecureKey(token),
		server.WithShutdownGracePeriod(shutdownGrace),
		server.WithDispatchServer(util.GRPCServerConfig{Enabled: false}),
		server.WithDispatchClientMetricsEnabled(false),
		server.WithDispatchClusterMetricsEnabled(false),
		server.WithHTTPGateway(util.HTTPServerConfig{HTTPEnabled: false}),
		server.WithMetricsAPI(util.HTTPServerConfig{HTTPEnabled: false}),
		server.WithSilentlyDisableTelemetry(true),
		server.WithEnableMemoryProtectionMiddleware(false),
		server.WithMaximumUpdatesPerWrite(updatesPerWrite),
		server.WithEnableRelationshipExpiration(true),
		server.WithExperimentalLookupResourcesVersion(cfg.LookupResourcesVersion),
		server.WithDispatchCacheConfig(off),
		server.WithNamespaceCacheConfig(off),
		server.WithClusterDispatchCacheConfig(off),
		server.WithLR3ResourceChunkCacheConfig(off),
		server.WithStoredSchemaCacheConfig(off),
		server.WithDatastoreConfig(*datastore.NewConfigWithOptionsAndDefaults().WithOptions(datastoreOptions(cfg)...)),
	)...)
}

func datastoreOptions(cfg Config) []datastore.ConfigOption {
	gcWindow := cmp.Or(cfg.GCWindow, 24*time.Hour)
	options := []datastore.ConfigOption{
		datastore.WithEngine(datastore.MemoryEngine),
		datastore.WithRequestHedgingEnabled(false),
		datastore.WithGCWindow(gcWindow),
		datastore.WithRevisionQuantization(min(revisionQuantization, gcWindow/2)), // or the engine refuses the window
	}
	if cfg.ReadOnly {
		options = append(options, datastore.WithReadOnly(true),
			datastore.SetBootstrapFileContents(map[string][]byte{"start.yaml": cfg.validationFile()}))
	}
	return options
}

// validationFile is what the engine is to hold at the start in SpiceDB's format
// for that.
func (cfg Config) validationFile() []byte {
	return fmt.Appendf(nil, "schema: %q\nrelationships: %q\n", cfg.Schema, strings.Join(cfg.Relationships, "\n"))
}

const (
	bufferSize = 1 << 20

	revisionQuantization = 5 * time.Second // SpiceDB's default

	// Close breaks the connections of clients first, so nothing is left that
	// would need longer.
	shutdownGrace = 200 * time.Millisecond
)

func dialAdmin(engine *bufconn.Listener, token string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///spicedbtest", append(asAdmin(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return engine.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpcutil.WithInsecureBearerToken(token))...)
}

func (s *Server) load(ctx context.Context, cfg Config) error {
	if cfg.Schema != "" {
		if err := s.WriteSchema(ctx, cfg.Schema); err != nil {
			return err
		}
	}
	return s.Touch(ctx, cfg.Relationships...)
}

// Token returns the preshared key.
func (s *Server) Token() string { return s.token }

// Addr returns the TCP address that is served, or "" if none is. It stays the
// same while the server is paused.
func (s *Server) Addr() string { return s.front.addr() }

// DialContext opens a connection in process. Its address is ignored, which makes
// it fit for grpc.WithContextDialer. Pause, Stall and BreakConnections apply to it.
func (s *Server) DialContext(ctx context.Context, _ string) (net.Conn, error) {
	return s.front.dial(ctx)
}

// DialOptions returns what a gRPC client needs to reach the server in process,
// with the preshared key. Its target must not be resolved, as in
// "passthrough:///spicedb".
func (s *Server) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(s.DialContext),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpcutil.WithInsecureBearerToken(s.token),
	}
}

// Conn returns the server's own connection to the engine. It works while the
// server is paused or stalled, its calls are not counted, and it ends with Close.
func (s *Server) Conn() *grpc.ClientConn { return s.admin }

// Pause makes the server unreachable: it closes the TCP port, breaks every
// connection but its own, and refuses new ones until Resume. The data stay.
func (s *Server) Pause() { s.front.pause() }

// Stall makes the server fall silent: until Resume, what clients send and what is
// sent to them is held back, on every connection but the server's own. None is
// broken, and new ones are accepted; with TLS, not more than a handshake comes of
// them.
func (s *Server) Stall() { s.front.stall() }

// Resume makes a paused server reachable again, at the same address, and delivers
// what a stalled one has held back. It fails if another process has taken the
// port meanwhile.
func (s *Server) Resume() error { return s.front.resume() }

// BreakConnections cuts every connection but the server's own. New ones are
// accepted at once.
func (s *Server) BreakConnections() { s.front.breakConnections() }

// Calls returns how many calls of a method, such as "LookupResources", have
// reached the engine, whether it answered them or not. The server's own do not
// count.
func (s *Server) Calls(method string) int { return s.calls.of(method) }

// Close ends the engine and all its connections, and waits until it has ended.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		s.front.close()
		if s.admin != nil {
			err = s.admin.Close()
		}
		s.stop()
		<-s.done
		if s.err != nil && !errors.Is(s.err, context.Canceled) {
			err = errors.Join(err, s.err)
		}
	})
	return err
}

// WriteSchema replaces the schema.
func (s *Server) WriteSchema(ctx context.Context, schema string) error {
	_, err := authzedv1.NewSchemaServiceClient(s.admin).WriteSchema(ctx, &authzedv1.WriteSchemaRequest{Schema: schema})
	if err != nil {
		return fmt.Errorf("write schema: %w", err)
	}
	return nil
}
