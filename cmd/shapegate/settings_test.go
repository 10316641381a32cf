package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// loadSettings loads settings as the root command does.
func loadSettings(t *testing.T, env map[string]string, flags ...string) (*settings, error) {
	t.Helper()
	var s settings
	set := pflag.NewFlagSet("shapegate", pflag.ContinueOnError)
	s.bind(set)
	if err := set.Parse(flags); err != nil {
		t.Fatal(err)
	}
	return &s, s.load(func(name string) string { return env[name] })
}

func TestDefaults(t *testing.T) {
	s, err := loadSettings(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.raw = nil
	want := settings{
		Listen: ":8080", AdminListen: "127.0.0.1:9090", ShapesFile: "schema/shapes.yaml",
		SubjectClaim: "sub", SubjectType: "user", SessionTTL: 15 * time.Minute, MaxStaleness: 5 * time.Second,
		MaxWaiting: 50_000, MaxWaitingPerSubject: 500, MaxFeeds: 1000, MaxFeedsPerSubject: 100, FeedMemory: 64,
	}
	if fmt.Sprint(*s) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", *s, want)
	}
}

func TestAFlagWinsOverTheEnvironment(t *testing.T) {
	env := map[string]string{"SHAPEGATE_LISTEN": ":1", "SHAPEGATE_SESSION_TTL": "1h", "SPICEDB_INSECURE": "true", "SHAPEGATE_SUBJECT_TYPE": ""}
	s, err := loadSettings(t, env, "--listen", ":2", "--spicedb-insecure=false", "--cors-origins", "https://a.example, http://localhost:5173")
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != ":2" || s.SessionTTL != time.Hour || s.SpiceDBInsecure || s.SubjectType != "user" ||
		!slices.Equal(s.CORSOrigins, []string{"https://a.example", "http://localhost:5173"}) {
		t.Errorf("got %+v", s)
	}
	if s, err = loadSettings(t, nil, "--spicedb-insecure"); err != nil || !s.SpiceDBInsecure {
		t.Errorf("a flag without a value: %v, %v", s.SpiceDBInsecure, err)
	}
}

func TestBadSettingsAreNamedTogetherAndNotRepeated(t *testing.T) {
	const canary = "hunter2"
	bad := map[string]string{
		"SHAPEGATE_LISTEN":        canary,
		"SHAPEGATE_ADMIN_LISTEN":  canary,
		"SHAPEGATE_SECRET":        canary,
		"SHAPEGATE_CORS_ORIGINS":  canary,
		"ELECTRIC_URL":            "postgres://:" + canary + "@electric",
		"SPICEDB_INSECURE":        canary,
		"SHAPEGATE_SESSION_TTL":   "-1s",
		"SHAPEGATE_MAX_STALENESS": "0",
		"SHAPEGATE_MAX_WAITING":   "0",
		"SHAPEGATE_FEED_MEMORY":   canary,
		"SHAPEGATE_JWT_SECRET":    canary,
		"SHAPEGATE_JWKS_URL":      "http://" + canary + ":x",
	}
	_, err := loadSettings(t, bad)
	if err == nil {
		t.Fatal("no error")
	}
	for name := range bad {
		if !strings.Contains(err.Error(), name+" (--") {
			t.Errorf("%s is not in the error: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the error repeats a value: %v", err)
	}
}

func TestContradictions(t *testing.T) {
	for _, env := range []map[string]string{
		{"SHAPEGATE_JWT_SECRET": strings.Repeat("x", 32), "SHAPEGATE_JWKS_URL": "https://issuer.example/jwks"},
		{"SPICEDB_INSECURE": "true", "SPICEDB_CA_FILE": "ca.pem"},
		{"SHAPEGATE_TLS_CERT_FILE": "cert.pem"},
		{"SHAPEGATE_CORS_ORIGINS": "*,https://a.example"},
		{"SHAPEGATE_CORS_ORIGINS": "https://a.example/"},
	} {
		if _, err := loadSettings(t, env); err == nil {
			t.Errorf("%v: no error", env)
		}
	}
}

func TestSecretsAreNotSeen(t *testing.T) {
	const canary = "hunter2-hunter2-hunter2-hunter2-hunter2"
	env := map[string]string{"SPICEDB_ENDPOINT": "[::1", "SPICEDB_INSECURE": "true"}
	var args []string
	for _, v := range variables {
		if v.secret {
			args = append(args, "--"+v.flag, "http://user:"+canary+"@host")
		}
	}
	s, err := loadSettings(t, env, args...)
	if err == nil || strings.Contains(err.Error(), canary) { // JWT secret and JWKS exclude each other
		t.Errorf("got %v, want an error without secrets", err)
	}
	encoded, err := json.Marshal(s.SpiceDBToken)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("settings", "token", s.SpiceDBToken)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", s.SpiceDBToken, s.JWTSecret, s.RedisURL, s.Secret), string(encoded), logged.String()} {
		if strings.Contains(text, canary) {
			t.Errorf("a secret is seen: %s", text)
		}
	}
	if !strings.Contains(s.SpiceDBToken.reveal(), canary) {
		t.Error("the secret is lost")
	}

	for _, command := range [][]string{{"--help"}, {"serve", "--help"}, {"check", "user:a", "view", "document:1"}, {"check", "--nope"}} {
		got := shapegate(t, env, "", append(command, "--spicedb-token", canary, "--jwt-secret", canary)...)
		if strings.Contains(got.stdout+got.stderr, canary) {
			t.Errorf("%v shows a secret: %s%s", command, got.stdout, got.stderr)
		}
	}
}

func TestHelpNamesEveryVariable(t *testing.T) {
	got := shapegate(t, nil, "", "--help")
	for _, v := range variables {
		if !strings.Contains(got.stdout, "--"+v.flag+" ") || !strings.Contains(got.stdout, "("+v.name+")") {
			t.Errorf("help does not name %s and --%s", v.name, v.flag)
		}
	}
}

func TestRequire(t *testing.T) {
	s, err := loadSettings(t, map[string]string{"ELECTRIC_URL": "http://electric:3000"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.require("ELECTRIC_URL", "SHAPEGATE_LISTEN"); err != nil {
		t.Error(err)
	}
	if err := s.require("SPICEDB_TOKEN", "SPICEDB_ENDPOINT"); err == nil || err.Error() != "not set: SPICEDB_ENDPOINT (--spicedb-endpoint), SPICEDB_TOKEN (--spicedb-token)" {
		t.Errorf("got %v", err)
	}
}
