package spicedb

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

func TestSpiceDBAway(t *testing.T) {
	s := startServer(t, "", testRelationships)
	s.Pause()
	cfg := testConfig(s)
	cfg.Timeout = 3 * time.Second
	c := dial(t, cfg) // does not wait

	start := time.Now()
	_, err := c.CheckPermission(t.Context(), user("alice"), document("direct"), "view", nil)
	wantKind(t, err, authz.Unavailable)
	_, err = lookup(t.Context(), c, user("alice"), nil)
	wantKind(t, err, authz.Unavailable)
	wantKind(t, c.Ready(t.Context()), authz.Unavailable)
	_, err = c.Reflect(t.Context())
	wantKind(t, err, authz.Unavailable)
	if took := time.Since(start); took > 2*cfg.Timeout {
		t.Errorf("a server that refuses connections was given up after %v", took)
	}

	must(t, s.Resume())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for c.Ready(ctx) != nil { // gRPC connects again after at most reconnect.MaxDelay
		must(t, ctx.Err())
	}
	held, err := c.CheckPermission(t.Context(), user("alice"), document("direct"), "view", nil)
	must(t, err)
	if !held {
		t.Error("the grant was lost")
	}
}

func TestAShortAbsenceIsNotNoticed(t *testing.T) {
	s := startServer(t, "", testRelationships)
	c := dial(t, testConfig(s))
	must(t, c.Ready(t.Context()))
	for range 10 {
		s.BreakConnections()
		held, err := c.CheckPermission(t.Context(), user("alice"), document("direct"), "view", nil)
		must(t, err)
		if !held {
			t.Fatal("denied")
		}
	}
}

// silent accepts connections and says nothing on them, as a server does whose
// machine has gone.
func silent(t *testing.T) func(context.Context, string) (net.Conn, error) {
	t.Helper()
	return func(context.Context, string) (net.Conn, error) {
		client, server := net.Pipe()
		t.Cleanup(func() { must(t, errors.Join(client.Close(), server.Close())) })
		return client, nil
	}
}

func TestASilentServerIsUnavailableInTime(t *testing.T) {
	c := dial(t, Config{
		Endpoint: "spicedb", Token: "x", Insecure: true, Dialer: silent(t),
		Timeout: 200 * time.Millisecond, LookupTimeout: 300 * time.Millisecond,
	})
	start := time.Now()
	_, err := c.CheckPermission(t.Context(), user("alice"), document("direct"), "view", nil)
	wantKind(t, err, authz.Unavailable)
	_, err = lookup(t.Context(), c, user("alice"), nil)
	wantKind(t, err, authz.Unavailable)

	// The caller's deadline counts too.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = lookup(ctx, c, user("alice"), nil)
	wantKind(t, err, authz.Unavailable)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestACancelledContextIsPassedThrough(t *testing.T) {
	c := dial(t, Config{Endpoint: "spicedb", Token: "x", Insecure: true, Dialer: silent(t)})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := c.CheckPermission(ctx, user("alice"), document("direct"), "view", nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("check: %v", err)
	}
	_, err = lookup(ctx, c, user("alice"), nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("lookup: %v", err)
	}

	// In the middle of an answer as well.
	relationships, _ := numbered(2000)
	s := startServer(t, "", relationships)
	c = dial(t, testConfig(s))
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	_, err = c.LookupResources(ctx, lookupOf(user("alice"), nil), func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("lookup under way: %v", err)
	}
}

func TestAWrongPresharedKeyIsOurFaultAndIsLoggedOnce(t *testing.T) {
	s := startServer(t, "", testRelationships)
	var log bytes.Buffer
	cfg := testConfig(s)
	cfg.Token = "hunter2"
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c := dial(t, cfg)
	for range 3 {
		_, err := c.CheckPermission(t.Context(), user("alice"), document("direct"), "view", nil)
		wantKind(t, err, authz.Unavailable)
		_, err = lookup(t.Context(), c, user("alice"), nil)
		wantKind(t, err, authz.Unavailable)
		wantKind(t, c.Ready(t.Context()), authz.Unavailable)
	}
	if n := strings.Count(log.String(), "preshared key"); n != 1 {
		t.Errorf("%d lines about the preshared key:\n%s", n, &log)
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Error("the log has the key")
	}
}

func TestKindsByCode(t *testing.T) {
	for code, want := range map[codes.Code]authz.Kind{
		codes.Unavailable:        authz.Unavailable,
		codes.DeadlineExceeded:   authz.Unavailable,
		codes.ResourceExhausted:  authz.Unavailable,
		codes.Unauthenticated:    authz.Unavailable,
		codes.PermissionDenied:   authz.Unavailable,
		codes.OutOfRange:         authz.Unavailable,
		codes.Canceled:           authz.Unavailable,
		codes.Aborted:            authz.Unavailable,
		codes.Unknown:            authz.Unavailable,
		codes.Internal:           authz.Unavailable, // its database restarts
		codes.FailedPrecondition: authz.Unanswerable,
		codes.NotFound:           authz.Unanswerable,
		codes.InvalidArgument:    authz.Internal,
		codes.Unimplemented:      authz.Internal,
	} {
		if got := kindOf(code); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
}

func TestOnlyWhatMayPassIsTriedAgain(t *testing.T) {
	for code, want := range map[codes.Code]int{
		codes.Unavailable:        maxAttempts,
		codes.DeadlineExceeded:   maxAttempts,
		codes.ResourceExhausted:  maxAttempts,
		codes.FailedPrecondition: 1,
		codes.InvalidArgument:    1,
		codes.PermissionDenied:   1,
		codes.Unauthenticated:    1,
		codes.Internal:           1,
		codes.Unknown:            1,
	} {
		synctest.Test(t, func(t *testing.T) {
			attempts := 0
			start := time.Now()
			_, err := retry(t.Context(), time.Second, func(context.Context) (struct{}, error) {
				attempts++
				return struct{}{}, status.Error(code, "no")
			})
			if attempts != want || status.Code(err) != code {
				t.Errorf("%s: %d attempts, want %d; %v", code, attempts, want, err)
			}
			if took := time.Since(start); took > 350*time.Millisecond {
				t.Errorf("%s: the pauses took %v", code, took)
			}
		})
	}
}

func TestAnAttemptThatHangsLeavesTimeForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		attempts := 0
		got, err := retry(ctx, 1500*time.Millisecond, func(ctx context.Context) (string, error) {
			if attempts++; attempts == 1 {
				<-ctx.Done()
				return "", status.FromContextError(ctx.Err()).Err()
			}
			return "answer", nil
		})
		if got != "answer" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestRetriesEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := retry(ctx, time.Second, func(context.Context) (struct{}, error) {
			return struct{}{}, status.Error(codes.Unavailable, "no")
		})
		if status.Code(err) != codes.Unavailable || time.Since(start) > 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestComplaintsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		var c complaints
		for range 25 {
			c.say(t.Context(), logger, slog.LevelError, "again")
			time.Sleep(time.Second)
		}
		if n := strings.Count(log.String(), "again"); n != 3 {
			t.Errorf("%d lines in 25 s", n)
		}
	})
}

// writing counts writes, which fail as if the answer were lost.
type writing struct {
	authzedv1.PermissionsServiceClient
	calls int
}

func (w *writing) WriteRelationships(context.Context, *authzedv1.WriteRelationshipsRequest, ...grpc.CallOption) (*authzedv1.WriteRelationshipsResponse, error) {
	w.calls++
	return nil, status.Error(codes.Unavailable, "lost")
}

func TestWritesAreNotTriedAgain(t *testing.T) {
	s := startServer(t, "", nil)
	w := &writing{}
	c := withPermissions(dial(t, testConfig(s)), w)
	rel, err := ParseRelationship("document:readme#viewer@user:alice")
	must(t, err)
	_, err = c.WriteRelationships(t.Context(), Update{Touch, rel})
	wantKind(t, err, authz.Unavailable)
	if w.calls != 1 {
		t.Errorf("%d calls", w.calls)
	}
}

func TestTLSWithACAFile(t *testing.T) {
	caFile, certificate := selfSigned(t)
	s := spicedbtest.Start(t, spicedbtest.Config{
		Schema: testSchema, Relationships: testRelationships, ListenAddr: "127.0.0.1:0",
		TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12},
	})
	c := dial(t, Config{Endpoint: s.Addr(), Token: s.Token(), CAFile: caFile})
	held, err := c.CheckPermission(t.Context(), user("alice"), document("direct"), "view", nil)
	must(t, err)
	if !held {
		t.Error("denied")
	}

	// The system does not know the authority, and plain text is not accepted.
	strict := dial(t, Config{Endpoint: s.Addr(), Token: s.Token()})
	wantKind(t, strict.Ready(t.Context()), authz.Unavailable)
	plain := dial(t, Config{Endpoint: s.Addr(), Token: s.Token(), Insecure: true})
	wantKind(t, plain.Ready(t.Context()), authz.Unavailable)
}

func selfSigned(t *testing.T) (caFile string, certificate tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return caFile, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(noPEM, []byte("hello"), 0o600))
	for name, cfg := range map[string]Config{
		"no endpoint":        {Token: "x"},
		"no token":           {Endpoint: "localhost:50051"},
		"CA without TLS":     {Endpoint: "localhost:50051", Token: "x", Insecure: true, CAFile: noPEM},
		"CA file missing":    {Endpoint: "localhost:50051", Token: "x", CAFile: noPEM + "x"},
		"CA file of no CA":   {Endpoint: "localhost:50051", Token: "x", CAFile: noPEM},
		"negative timeout":   {Endpoint: "localhost:50051", Token: "x", Timeout: -1},
		"unreadable address": {Endpoint: "http://\x00", Token: "x"},
	} {
		_, err := Dial(cfg)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantKind(t, err, authz.Invalid)
	}
}

func TestCallsAreCounted(t *testing.T) {
	s := startServer(t, "", testRelationships)
	cfg := testConfig(s)
	registry := prometheus.NewRegistry()
	cfg.Registerer = registry
	for range 2 { // two clients of one process share the metrics
		c := dial(t, cfg)
		_, err := c.CheckPermission(t.Context(), user("alice"), document("direct"), "view", nil)
		must(t, err)
	}
	families, err := registry.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() != "grpc_client_started_total" {
			continue
		}
		if n := f.GetMetric()[0].GetCounter().GetValue(); n != 2 {
			t.Errorf("%v calls were counted, want 2", n)
		}
		return
	}
	t.Error("nothing was counted")
}
