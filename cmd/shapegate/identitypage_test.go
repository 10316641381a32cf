package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/cmd/internal/issuers"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/oidctest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

const identityPage = "../../authz/identity/README.md"

// section is the part of the page below a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(read(t, identityPage)), "# "+heading+"\n")
	if !ok {
		t.Fatalf("the page has no %q", heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	text, _, _ = strings.Cut(text, "\n### ")
	return text
}

// fenced is the first block of a language.
func fenced(t *testing.T, text, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "```"+language+"\n")
	block, _, ended := strings.Cut(rest, "```")
	if !ok || !ended {
		t.Fatalf("no block of %s in:\n%s", language, text)
	}
	return block
}

var (
	pageSubject = regexp.MustCompile("- Subject: `([^`]*)`")
	pageContext = regexp.MustCompile("- Context: `(claims[^`]*)`")
)

// identityWorld is a SpiceDB and an Electric where each of some subjects sees one row, if
// the caveat is handed a clearance of 2.
type identityWorld struct{ env map[string]string }

func startIdentityWorld(t *testing.T, subjects ...string) identityWorld {
	t.Helper()
	const zed = `definition user {}
definition service {}
caveat cleared(clearance int) {
	clearance == 2
}
definition doc {
	relation viewer: user with cleared | service
	permission view = viewer
}
definition shapegate_canary {
	relation beat: shapegate_canary
}
`
	var relationships []string
	sql := "CREATE TABLE docs (id text PRIMARY KEY);\n"
	for _, s := range subjects {
		caveat := "[cleared]"
		if strings.HasPrefix(s, "service:") {
			caveat = ""
		}
		relationships = append(relationships, "doc:"+docOf(s)+"#viewer@"+s+caveat)
		sql += "INSERT INTO docs (id) VALUES ('" + docOf(s) + "');\n"
	}
	env := startSpiceDB(t, spicedbtest.Config{Schema: zed, Relationships: relationships})
	tables := electrictest.New(electrictest.Options{})
	t.Cleanup(tables.Close)
	if _, err := tables.Exec(sql); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(tables)
	t.Cleanup(upstream.Close)
	env["ELECTRIC_URL"], env["SHAPEGATE_SECRET"] = upstream.URL, strings.Repeat("s", 32)
	return identityWorld{env}
}

// docOf is the document of a subject.
func docOf(subject string) string { return "of-" + strings.Replace(subject, ":", "/", 1) }

// serve runs what the settings of a page describe, and returns its URL. Issuers are reached
// by the client.
func (w identityWorld) serve(t *testing.T, lines, contextClaim string, client *http.Client) string {
	t.Helper()
	env := w.env
	for line := range strings.Lines(lines) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			t.Fatalf("the page has %q, which is no setting", line)
		}
		env = with(env, name, value)
	}
	s, err := loadSettings(t, env)
	if err != nil {
		t.Fatal(err)
	}
	shapes, err := schema.Parse("shapes.yaml", []byte(`shapes:
  docs:
    table: docs
    columns: [id]
    authorize:
      filter: [{resource: doc, permission: view, column: id}]
      context:
        clearance: `+contextClaim+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.issuers()
	if err != nil {
		t.Fatal(err)
	}
	config := s.gatewayConfig(shapes, slog.New(slog.DiscardHandler))
	config.Issuers = configsOf(all)
	for i := range config.Issuers {
		config.Issuers[i].HTTPClient = client
	}
	return runGateway(t, config)
}

func runGateway(t *testing.T, config gateway.Config) string {
	t.Helper()
	g, err := gateway.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- g.Run(ctx) }()
	front := httptest.NewServer(g.Handler())
	t.Cleanup(func() {
		stop()
		<-ran
		front.Close()
		_ = g.Close()
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); g.Ready(t.Context()) != nil; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(g.Ready(t.Context()))
		}
	}
	return front.URL
}

// sees checks that a request with a header gets the document of a subject and no other; an
// empty subject: that it is answered 401.
func sees(t *testing.T, url, header, value, subject string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/shapes/docs?offset=-1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(header, value)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if subject == "" {
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", header, resp.StatusCode, body)
		}
		return
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"id":"`+docOf(subject)+`"`) || strings.Count(string(body), `"value"`) != 1 {
		t.Errorf("%s of %s: %d %s", header, subject, resp.StatusCode, body)
	}
}

// Each product's section of the page has settings that take its tokens, names the subject
// that they speak of, and a claim that a caveat can be handed.
func TestTheSettingsOfEachProductTakeItsTokens(t *testing.T) {
	var subjects []string
	for _, p := range oidctest.Products() {
		m := pageSubject.FindStringSubmatch(section(t, p.Name))
		if m == nil {
			t.Fatalf("%s: the page names no subject", p.Name)
		}
		subjects = append(subjects, m[1])
	}
	seen := map[string]bool{}
	var once []string
	for _, s := range subjects {
		if !seen[s] {
			once = append(once, s)
		}
		seen[s] = true
	}
	world := startIdentityWorld(t, once...)
	for i, p := range oidctest.Products() {
		t.Run(p.Name, func(t *testing.T) {
			text := section(t, p.Name)
			claim := pageContext.FindStringSubmatch(text)
			if claim == nil {
				t.Fatal("the page names no claim for a caveat")
			}
			lines := fenced(t, text, "sh")
			issuer, impostor := oidctest.New(t, p), oidctest.New(t, p)
			url := world.serve(t, lines, claim[1], oidctest.Client(issuer))
			for header, prefix := range placesOf(lines) {
				sees(t, url, header, prefix+issuer.Token(t, nil), subjects[i])
				sees(t, url, header, prefix+impostor.Token(t, nil), "")
				sees(t, url, header, prefix+issuer.Token(t, map[string]any{"iss": "https://evil.example/"}), "")
				sees(t, url, header, prefix+issuer.Token(t, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), "")
				if strings.Contains(lines, "SHAPEGATE_JWT_AUDIENCE=") {
					sees(t, url, header, prefix+issuer.Token(t, map[string]any{"aud": "another-application"}), "")
				}
				sees(t, url, header, subjects[i], "")
			}
			issuer.Rotate(t)
			for header, prefix := range placesOf(lines) {
				sees(t, url, header, prefix+issuer.Token(t, nil), subjects[i])
			}
		})
	}
}

// placesOf are the headers that may have a token by the settings, with what stands before
// it.
func placesOf(lines string) map[string]string {
	places := map[string]string{"Authorization": "Bearer "}
	for line := range strings.Lines(lines) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name {
		case "SHAPEGATE_TOKEN_HEADER":
			places[value] = ""
		case "SHAPEGATE_TOKEN_COOKIE":
			places["Cookie"] = value + "="
		}
	}
	return places
}

// The page's file of several issuers is served as it stands.
func TestTheFileOfSeveralIssuersIsServed(t *testing.T) {
	world := startIdentityWorld(t, "user:staff/f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "user:customer/8b1b2f6e-30b2-4c3f-9d6a-2f0a5c1f7f11", "service:backup")
	world.env["REDIS_URL"] = "redis://" + miniredis.RunT(t).Addr()
	world.env["JOBS_SECRET"] = strings.Repeat("j", 32)
	file := write(t, "issuers.yaml", fenced(t, section(t, "Several issuers"), "yaml"))
	staff, customers := oidctest.New(t, oidctest.Keycloak), oidctest.New(t, oidctest.Supabase)
	url := world.serve(t, "SHAPEGATE_ISSUERS="+file, "claims.app_metadata.clearance", oidctest.Client(staff, customers))
	cleared := map[string]any{"app_metadata": map[string]any{"clearance": 2}}
	sees(t, url, "Authorization", "Bearer "+staff.Token(t, cleared), "user:staff/f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
	sees(t, url, "Authorization", "Bearer "+customers.Token(t, cleared), "user:customer/8b1b2f6e-30b2-4c3f-9d6a-2f0a5c1f7f11")
	job, err := identity.Config{Secret: []byte(world.env["JOBS_SECRET"]), Issuer: "jobs"}.Sign("backup", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	sees(t, url, "Authorization", "Bearer "+job, "service:backup")
	// A session keeps what its token said: the issuer's prefix, the type, the claims.
	for token, subject := range map[string]string{
		staff.Token(t, cleared): "user:staff/f81d4fae-7dec-11d0-a765-00a0c91e6bf6", job: "service:backup",
	} {
		sees(t, url, "Authorization", "Bearer "+sessionOf(t, url, token), subject)
	}
	sees(t, url, "Authorization", "Bearer "+staff.Token(t, map[string]any{"iss": oidctest.Supabase.Issuer, "aud": "authenticated"}), "")
	sees(t, url, "Authorization", "Bearer "+staff.Token(t, map[string]any{"iss": "https://evil.example"}), "")
}

// sessionOf exchanges a JWT for the token of a session.
func sessionOf(t *testing.T, url, token string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/session", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var made struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return made.Token
}

func TestThePageHasEachKeyOfTheFileOfIssuers(t *testing.T) {
	var want strings.Builder
	want.WriteString("| key | meaning |\n| --- | --- |\n")
	for _, k := range issuers.Keys() {
		want.WriteString("| `" + k[0] + "` | " + k[1] + " |\n")
	}
	if !strings.Contains(section(t, "Several issuers"), want.String()) {
		t.Errorf("the page has another table than\n%s", want.String())
	}
}
