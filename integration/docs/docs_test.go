// Package docs_test checks the documentation of the repository: that links lead somewhere,
// and that what the pages name is in the code.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

var (
	linkText = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*)`")
)

// Each link of a page leads to a file that is there, and each test that a page names is in
// the file that it is linked to.
func TestPagesNameWhatIsThere(t *testing.T) {
	t.Chdir(root)
	for _, page := range files(t, ".", ".md") {
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

var (
	metricInCode = regexp.MustCompile(`(?:Name:\s+|gauge\(|counter\()"(shapegate_\w+)"|describe\("(\w+)"`)
	metricInText = regexp.MustCompile("`(shapegate_\\w+)`")
)

// metricsInCode are the names of the metrics of the production code.
func metricsInCode(t *testing.T) map[string]bool {
	t.Helper()
	inCode := map[string]bool{}
	for _, dir := range []string{"authz", "cmd", "proxy"} {
		for _, file := range files(t, dir, ".go") {
			for _, m := range metricInCode.FindAllStringSubmatch(read(t, file), -1) {
				switch {
				case strings.HasSuffix(file, "_test.go"):
				case m[1] != "":
					inCode[m[1]] = true
				default:
					inCode["shapegate_feed_"+m[2]] = true
				}
			}
		}
	}
	return inCode
}

// README has each metric of the production code, and no others.
func TestREADMENamesTheMetrics(t *testing.T) {
	t.Chdir(root)
	inCode := metricsInCode(t)
	inText := map[string]bool{"shapegate_canary": true} // a definition
	for _, m := range metricInText.FindAllStringSubmatch(read(t, "README.md"), -1) {
		if inText[m[1]] = true; !inCode[m[1]] && m[1] != "shapegate_canary" {
			t.Errorf("README has %s, which the code does not have", m[1])
		}
	}
	for name := range inCode {
		if !inText[name] {
			t.Errorf("README lacks %s", name)
		}
	}
}

// files are the files of a directory with an extension.
func files(t *testing.T, dir, extension string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == ".git"):
			return filepath.SkipDir
		case filepath.Ext(path) == extension:
			all = append(all, path)
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files: %v", len(all), err)
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
