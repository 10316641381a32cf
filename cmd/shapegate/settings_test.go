package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/feed"
	"github.com/shapegate/shapegate/proxy/forwarded"
	"github.com/shapegate/shapegate/proxy/gateway"
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
	s.raw, s.getenv = nil, nil
	want := settings{
		Listen: ":8080", AdminListen: "127.0.0.1:9090", ShapesFile: "schema/shapes.yaml",
		Rate: 100, Idle: 620 * time.Second,
		Gateway: gateway.Config{
			Identity:   identity.Config{SubjectClaim: "sub", SubjectType: "user"},
			Gatekeeper: gateway.Gatekeeper{Life: 5 * time.Minute},
			SessionTTL: 15 * time.Minute, SessionsPerSubject: 100, MaxStaleness: 5 * time.Second,
			Proxy: proxy.Config{
				Limits:  proxy.Limits{Burst: 200, Concurrent: 16, Reads: 200},
				Cookie:  proxy.Cookie{SameSite: http.SameSiteLaxMode},
				Front:   proxy.Front{Header: forwarded.XForwardedFor},
				Waiting: 50_000, WaitingPerSubject: 500,
				Feeds: feed.Config{Feeds: 1000, PerSubject: 100, Memory: 64 << 20},
			},
		},
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
	if s.Listen != ":2" || s.Gateway.SessionTTL != time.Hour || s.Gateway.SpiceDB.Insecure || s.Gateway.Identity.SubjectType != "user" ||
		!slices.Equal(s.Gateway.Proxy.CORSOrigins, []string{"https://a.example", "http://localhost:5173"}) {
		t.Errorf("got %+v", s)
	}
	if s, err = loadSettings(t, nil, "--spicedb-insecure"); err != nil || !s.Gateway.SpiceDB.Insecure {
		t.Errorf("a flag without a value: %v, %v", s.Gateway.SpiceDB.Insecure, err)
	}
}

func TestBadSettingsAreNamedTogetherAndNotRepeated(t *testing.T) {
	const hidden = "hunter2"
	bad := map[string]string{
		"SHAPEGATE_LISTEN":        hidden,
		"SHAPEGATE_ADMIN_LISTEN":  hidden,
		"SHAPEGATE_SECRET":        hidden,
		"SHAPEGATE_CORS_ORIGINS":  hidden,
		"ELECTRIC_URL":            "postgres://:" + hidden + "@electric",
		"SPICEDB_INSECURE":        hidden,
		"SHAPEGATE_SESSION_TTL":   "-1s",
		"SHAPEGATE_MAX_STALENESS": "0",
		"SHAPEGATE_MAX_WAITING":   "0",
		"SHAPEGATE_FEED_MEMORY":   hidden,
		"SHAPEGATE_JWT_SECRET":    hidden,
		"SHAPEGATE_JWKS_URL":      "http://" + hidden + ":x",
		"SHAPEGATE_SUBJECT_TYPE":  hidden + "!",

		"SHAPEGATE_PUBLIC_URL":     "https://user:" + hidden + "@sync.example.com",
		"SHAPEGATE_GATEKEEPER_TTL": "900ms",
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
	if strings.Contains(err.Error(), hidden) {
		t.Errorf("the error repeats a value: %v", err)
	}
}

func TestContradictions(t *testing.T) {
	for _, env := range []map[string]string{
		{"SHAPEGATE_JWT_SECRET": strings.Repeat("x", 32), "SHAPEGATE_JWKS_URL": "https://issuer.example/jwks"},
		{"SHAPEGATE_JWT_SECRET": strings.Repeat("x", 32), "SHAPEGATE_OIDC_ISSUER": "https://issuer.example/"},
		{"SHAPEGATE_JWKS_URL": "https://issuer.example/jwks", "SHAPEGATE_OIDC_ISSUER": "https://issuer.example/"},
		{"SHAPEGATE_ISSUERS": "issuers.yaml", "SHAPEGATE_OIDC_ISSUER": "https://issuer.example/"},
		{"SHAPEGATE_ISSUERS": "issuers.yaml", "SHAPEGATE_JWT_AUDIENCE": "a"},
		{"SHAPEGATE_ISSUERS": "issuers.yaml", "SHAPEGATE_SUBJECT_TYPE": "person"},
		{"SHAPEGATE_OIDC_ISSUER": "https://issuer.example/", "SHAPEGATE_JWT_ISSUER": "https://other.example/"},
		{"SHAPEGATE_OIDC_ISSUER": "https://issuer.example/?a=b"},
		{"SHAPEGATE_TOKEN_HEADER": "Authorization"},
		{"SHAPEGATE_TOKEN_COOKIE": "shapegate_session"},
		{"SHAPEGATE_BASE_PATH": "sync"},
		{"SHAPEGATE_TRUSTED_PROXIES": "balancer"},
		{"SHAPEGATE_FORWARDED_HEADER": "X-Real-IP"},
		{"SHAPEGATE_PROXY_PROTOCOL": "true"},
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
	const hidden = "hunter2-hunter2-hunter2-hunter2-hunter2"
	env := map[string]string{"SPICEDB_ENDPOINT": "[::1", "SPICEDB_INSECURE": "true"}
	var args []string
	for _, v := range new(settings).variables() {
		if v.secret {
			args = append(args, "--"+v.flag(), "http://user:"+hidden+"@host")
		}
	}
	s, err := loadSettings(t, env, args...)
	if err == nil || strings.Contains(err.Error(), hidden) { // JWT secret and JWKS exclude each other
		t.Errorf("got %v, want an error without secrets", err)
	}
	encoded, err := json.Marshal(s.SpiceDBToken)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("settings", "token", s.SpiceDBToken)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", s.SpiceDBToken, s.JWTSecret, s.RedisURL, s.Secret), string(encoded), logged.String()} {
		if strings.Contains(text, hidden) {
			t.Errorf("a secret is seen: %s", text)
		}
	}
	if !strings.Contains(s.SpiceDBToken.reveal(), hidden) {
		t.Error("the secret is lost")
	}

	for _, command := range [][]string{{"--help"}, {"serve", "--help"}, {"check", "user:a", "view", "document:1"}, {"check", "--nope"}} {
		got := shapegate(t, env, "", append(command, "--spicedb-token", hidden, "--jwt-secret", hidden)...)
		if strings.Contains(got.stdout+got.stderr, hidden) {
			t.Errorf("%v shows a secret: %s%s", command, got.stdout, got.stderr)
		}
	}
}

// serve reads every setting, and the other commands show those that they read.
func TestHelpNamesTheSettingsThatACommandReads(t *testing.T) {
	names := []string{}
	for _, v := range new(settings).variables() {
		names = append(names, v.name)
	}
	all := maps.Clone(reads)
	all[readsAll], all[""], all["schema"] = names, nil, nil
	for path, known := range all {
		got := shapegate(t, nil, "", append(strings.Fields(path), "--help")...)
		for _, name := range names {
			v := variable{name: name}
			if shown := strings.Contains(got.stdout, "--"+v.flag()+" ") && strings.Contains(got.stdout, "("+name+")"); shown != slices.Contains(known, name) {
				t.Errorf("the help of %q shows --%s: %v", path, v.flag(), shown)
			}
		}
	}
}

// A setting that a command wants is in its help.
func TestHelpNamesWhatIsWanted(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		if _, known := reads[path]; !cmd.HasSubCommands() && !known && path != readsAll {
			t.Errorf("the settings that %s reads are not in the table of reads", cmd.CommandPath())
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(newRootCommand(nil))
	for path, args := range map[string]string{
		"check-config": "", "schema read": "", "schema write": "x", "relationship touch": "a", "relationship delete": "a", "relationship read": "a",
		"check": "user:a b c:d", "explain": "--subject user:a --shape b --id c", "shapes": "--subject user:a", "token": "bob",
	} {
		got := shapegate(t, nil, "", strings.Fields(path+" "+args+" --shapes ../../schema/shapes.yaml")...)
		wanted := regexp.MustCompile(`[A-Z_]{5,}`).FindAllString(got.stderr, -1)
		if got.code != 2 || len(wanted) == 0 {
			t.Errorf("%s: %d %s", path, got.code, got.stderr)
		}
		for _, name := range wanted {
			if !slices.Contains(reads[path], name) {
				t.Errorf("%s wants %s, which its help does not show", path, name)
			}
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

func TestOneOfTwoIsRequired(t *testing.T) {
	s, err := loadSettings(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "not set: SHAPEGATE_JWT_SECRET (--jwt-secret) or SHAPEGATE_JWKS_URL (--jwks-url)"
	if err := s.require("SHAPEGATE_JWT_SECRET|SHAPEGATE_JWKS_URL"); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if s, err = loadSettings(t, map[string]string{"SHAPEGATE_JWKS_URL": "https://issuer.example/jwks"}); err != nil {
		t.Fatal(err)
	}
	if err := s.require("SHAPEGATE_JWT_SECRET|SHAPEGATE_JWKS_URL"); err != nil {
		t.Error(err)
	}
}

func TestUnknownVariablesAreNamed(t *testing.T) {
	env := map[string]string{
		"SHAPEGATE_MAX_STALENES": "1s",
		"SHAPEGATE_COLOUR":       "hunter2",
		"SHAPEGATE_LISTEN":       ":1",
		// What others set.
		"SHAPEGATE_SERVICE_HOST": "10.0.0.1", "SHAPEGATE_SERVICE_PORT": "8080", "SHAPEGATE_SERVICE_PORT_HTTP": "8080",
		"SHAPEGATE_PORT": "tcp://10.0.0.1:8080", "SHAPEGATE_PORT_8080_TCP": "tcp://10.0.0.1:8080", "SHAPEGATE_PORT_8080_TCP_ADDR": "10.0.0.1",
		"SHAPEGATE_TEST_REQUIRE_ALL": "1", "HOME": "/",
	}
	got := shapegate(t, env, "", "version")
	want := "shapegate: warning: SHAPEGATE_COLOUR is set, and is no setting\n" +
		`shapegate: warning: SHAPEGATE_MAX_STALENES is set, and is no setting, did you mean "SHAPEGATE_MAX_STALENESS"?` + "\n"
	if got.code != 0 || got.stderr != want {
		t.Errorf("exit code %d, got\n%swant\n%s", got.code, got.stderr, want)
	}
}

var update = flag.Bool("update", false, "write the tables of SETTINGS.md anew")

// settingGroups are the headings of SETTINGS.md, each with its first setting.
var settingGroups = []struct{ first, heading string }{
	{"SHAPEGATE_LISTEN", "Server"},
	{"ELECTRIC_URL", "Electric"},
	{"SPICEDB_ENDPOINT", "SpiceDB"},
	{"REDIS_URL", "Redis and sessions"},
	{"SHAPEGATE_JWT_SECRET", "Tokens"},
	{"SHAPEGATE_GATEKEEPER_KEY_FILE", "Gatekeeper"},
	{"SHAPEGATE_MAX_STALENESS", "Freshness and limits"},
}

// settingTables is the part of SETTINGS.md that is made of the table which the flags are
// made of.
func settingTables() string {
	var text strings.Builder
	group := 0
	for _, v := range new(settings).variables() {
		if group < len(settingGroups) && v.name == settingGroups[group].first {
			fmt.Fprintf(&text, "\n## %s\n\n| variable | flag | default | meaning |\n| --- | --- | --- | --- |\n", settingGroups[group].heading)
			group++
		}
		def := ""
		if v.def != "" {
			def = "`" + v.def + "`"
		}
		fmt.Fprintf(&text, "| `%s` | `--%s` | %s | %s |\n", v.name, v.flag(), def, v.usage)
	}
	return text.String() + "\n"
}

func TestSETTINGSListsEverySetting(t *testing.T) {
	const path, begin, end = "SETTINGS.md", "<!-- settings -->\n", "<!-- end of settings -->\n"
	want := settingTables()
	for _, g := range settingGroups {
		if !strings.Contains(want, "## "+g.heading+"\n") {
			t.Errorf("no group %q: %s is no setting, or not in this order", g.heading, g.first)
		}
	}
	page := string(read(t, path))
	before, rest, ok := strings.Cut(page, begin)
	got, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatal("SETTINGS.md has no place for the settings")
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("SETTINGS.md is not what the code has: run go test ./cmd/shapegate -run SETTINGS -update\n%s", cmp.Diff(want, got))
	}
}
