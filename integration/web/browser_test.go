package web

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/prerequisite"
)

// TestBrowser has a real browser use the page, one script after the other. What it looks
// like is written to test/.out, or to the folder in SHAPEGATE_TEST_SCREENSHOTS.
func TestBrowser(t *testing.T) {
	installPackages(t)
	browser := chromium(t)
	scripts, err := filepath.Glob("test/*.test.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	environment := append(os.Environ(), "SHAPEGATE_WEB_CONTROL="+control(t).URL, "SHAPEGATE_WEB_BROWSER="+browser)
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".test.mjs"), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", script)
			cmd.Env = environment
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil || !strings.Contains(string(out), "ℹ skipped 0") || strings.Contains(string(out), "ℹ pass 0") {
				t.Errorf("%s: %v", script, err)
			}
		})
	}
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	prerequisite.Missing(t, "chromium is not installed")
	return ""
}
