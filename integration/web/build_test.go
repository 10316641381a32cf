package web

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/shapegate/shapegate/integration/prerequisite"
)

// installPackages sees to it that Node and the packages are there.
func installPackages(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			prerequisite.Missing(t, program+" is not installed")
		}
	}
	// npm writes this file when it has installed everything.
	if _, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err == nil {
		return
	}
	if out, err := npm(t, "ci", "--no-audit", "--no-fund"); err != nil {
		prerequisite.Missing(t, fmt.Sprintf("npm ci failed: %v\n%s", err, out))
	}
}

func npm(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	return exec.CommandContext(ctx, "npm", args...).CombinedOutput()
}

// What is committed is what the sources give: otherwise, npm ci && npm run build.
func TestDistIsBuiltFromTheSources(t *testing.T) {
	installPackages(t)
	built := t.TempDir()
	if out, err := npm(t, "run", "build", "--", "--outDir", built, "--emptyOutDir"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	committed, err := fs.Sub(files, "dist")
	if err != nil {
		t.Fatal(err)
	}
	want, got := contents(t, os.DirFS(built)), contents(t, committed)
	for name := range want {
		if !bytes.Equal(want[name], got[name]) {
			t.Errorf("dist/%s is not what the sources give", name)
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("dist/%s is not built any more", name)
		}
	}
}

func contents(t *testing.T, files fs.FS) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[path], err = fs.ReadFile(files, path)
		return err
	})
	if err != nil || len(all) < 4 {
		t.Fatalf("%d files: %v", len(all), err)
	}
	return all
}
