package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/integration/prerequisite"
	"github.com/shapegate/shapegate/schema/demo"
)

// needsRedis are the scripts that want a real Redis server.
var needsRedis = map[string]bool{"deployed.test.mjs": true}

// needsPostgres are the scripts that want a real Postgres.
var needsPostgres = map[string]bool{"builders.test.mjs": true}

// needsCaddy are the scripts that want a real Caddy.
var needsCaddy = map[string]bool{"forwardauth.test.mjs": true}

// TestClients runs each script as a test of its own. Every test of a script has a
// world to itself, so scripts run side by side.
func TestClients(t *testing.T) {
	t.Parallel()
	installPackages(t)
	scripts, err := filepath.Glob("*.test.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	c := newControl(t)
	environment := append(os.Environ(), "SHAPEGATE_E2E_CONTROL="+c.url, "SHAPEGATE_E2E_TOKENS="+tokens(t))
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(script, ".test.mjs"), func(t *testing.T) {
			t.Parallel()
			if needsRedis[script] {
				c.needRedis(t)
			}
			if needsPostgres[script] {
				c.startPostgres(t)
			}
			if _, err := exec.LookPath("caddy"); err != nil && needsCaddy[script] {
				prerequisite.Missing(t, "caddy is not installed")
			}
			runScript(t, script, environment)
		})
	}
}

// scriptTimeout is ample: a script takes seconds, and minutes with the race detector on a
// busy machine of two cores.
const scriptTimeout = 15 * time.Minute

// runScript runs a script's tests, and shows what Node printed if any failed. A
// script in which a test was skipped fails: it would keep no promise.
func runScript(t *testing.T, script string, environment []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	// Electric's client leaves a timer behind that would hold Node for a minute.
	cmd := exec.CommandContext(ctx, "node", "--test", "--test-force-exit", "--test-reporter=spec", script)
	cmd.Env = environment
	out, err := cmd.CombinedOutput()
	summary := summaryOf(string(out))
	switch {
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case summary["pass"] == "0" || summary["skipped"] != "0" || summary["todo"] != "0":
		t.Errorf("tests passed: %s, skipped: %s, todo: %s", summary["pass"], summary["skipped"], summary["todo"])
	default:
		t.Logf("%s tests passed in %s ms", summary["pass"], summary["duration_ms"])
	}
}

// summaryOf reads the lines with which Node's spec reporter ends: "ℹ pass 12".
func summaryOf(out string) map[string]string {
	summary := make(map[string]string)
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "ℹ" {
			summary[f[1]] = f[2]
		}
	}
	return summary
}

// installPackages sees to it that Node and the clients are there.
func installPackages(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		prerequisite.Missing(t, "node is not installed")
	}
	// npm writes this file when it has installed everything.
	if _, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err == nil {
		return
	}
	if _, err := exec.LookPath("npm"); err != nil {
		prerequisite.Missing(t, "the clients are not installed, and neither is npm: run npm ci in integration/e2e")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		prerequisite.Missing(t, fmt.Sprintf("the clients are not installed, and npm ci failed: %v\n%s", err, out))
	}
}

// jwtSecret signs the tokens of all worlds.
const jwtSecret = "the secret of the end-to-end tests, not of anything else"

// people are those of the demo, and mallory, of whom SpiceDB knows nothing.
func people() []demo.Person {
	return append(demo.People(), demo.Person{Subject: "mallory"})
}

// tokens returns a bearer JWT for each person, as JSON.
func tokens(t *testing.T) string {
	t.Helper()
	all := make(map[string]string)
	for _, p := range people() {
		claims := jwt.MapClaims{"sub": p.Subject, "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(claims, p.Claims)
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
		if err != nil {
			t.Fatal(err)
		}
		all[p.Subject] = token
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
