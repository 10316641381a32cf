// Package shapegate_test checks the documentation of the repository.
package shapegate_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	linkText = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*)`")
)

// Each link of a page leads to a file that is there, and each test that a page names is in
// the file that it is linked to.
func TestPagesNameWhatIsThere(t *testing.T) {
	for _, page := range pages(t) {
		text := read(t, page)
		linked := map[string]bool{}
		for _, link := range linkText.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(link[2], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			file := filepath.Join(filepath.Dir(page), filepath.FromSlash(target))
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, target)
				continue
			}
			if name := testName.FindStringSubmatch(link[1]); name != nil {
				linked[name[1]] = true
				if !strings.Contains(read(t, file), "\nfunc "+name[1]+"(") {
					t.Errorf("%s: %s has no %s", page, target, name[1])
				}
			}
		}
		for _, name := range testName.FindAllStringSubmatch(text, -1) {
			if !linked[name[1]] {
				t.Errorf("%s: %s is not linked to its file", page, name[1])
			}
		}
	}
}

// pages are the repository's Markdown files.
func pages(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == ".git"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			all = append(all, path)
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d pages: %v", len(all), err)
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // a file of the repository
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
