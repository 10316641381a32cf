package docs_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// page is a page in Markdown, by its path from the root with slashes.
type page struct{ path, text string }

// link is a link of a page to something in the repository.
type link struct {
	text   string
	target string // a path from the root, or of the page itself
	anchor string
}

var linkText = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)

func pages(t *testing.T) (all []page) {
	t.Helper()
	for _, file := range files(t, ".", ".md") {
		// What dist has is built from other sources.
		if !strings.HasPrefix(filepath.ToSlash(file), "integration/web/dist/") {
			all = append(all, page{filepath.ToSlash(file), read(t, file)})
		}
	}
	return all
}

func (p page) links() (all []link) {
	for _, m := range linkText.FindAllStringSubmatch(p.prose(), -1) {
		target, anchor, _ := strings.Cut(m[2], "#")
		switch {
		case strings.Contains(m[2], "://"), strings.HasPrefix(m[2], "mailto:"):
			continue
		case target == "":
			target = p.path
		default:
			target = path.Join(path.Dir(p.path), target)
		}
		all = append(all, link{text: m[1], target: target, anchor: anchor})
	}
	return all
}

// prose is the text of a page without its fenced code.
func (p page) prose() string {
	var text strings.Builder
	fenced := false
	for line := range strings.Lines(p.text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if !fenced {
			text.WriteString(line)
		}
	}
	return text.String()
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// anchors are the anchors of a page's headings, as GitHub makes them.
func (p page) anchors() map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(p.prose()) {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		heading = linkText.ReplaceAllString(strings.TrimSpace(heading), "$1")
		anchor := strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
		first := anchor
		for n := 1; all[anchor]; n++ {
			anchor = first + "-" + strconv.Itoa(n)
		}
		all[anchor] = true
	}
	return all
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	p := page{text: "# What a client can still learn\n## Forms of `REDIS_URL`\n### 1. Define who, and what\n## Forms of `REDIS_URL`\n```sh\n# no heading\n```\n"}
	want := []string{"1-define-who-and-what", "forms-of-redis_url", "forms-of-redis_url-1", "what-a-client-can-still-learn"}
	if got := slices.Sorted(maps.Keys(p.anchors())); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Chdir(root)
	anchors := map[string]map[string]bool{}
	all := pages(t)
	for _, p := range all {
		anchors[p.path] = p.anchors()
	}
	for _, p := range all {
		for _, l := range p.links() {
			if _, err := os.Stat(filepath.FromSlash(l.target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", p.path, l.target)
				continue
			}
			if known, ok := anchors[l.target]; l.anchor != "" && ok && !known[l.anchor] {
				t.Errorf("%s: %s has no heading with the anchor #%s", p.path, l.target, l.anchor)
			}
		}
	}
}

// A page that nobody links to is read by nobody.
func TestEachPageCanBeReachedFromREADME(t *testing.T) {
	t.Chdir(root)
	byPath := map[string]page{}
	for _, p := range pages(t) {
		byPath[p.path] = p
	}
	reached := map[string]bool{}
	for next := []string{"README.md"}; len(next) > 0; {
		at := next[0]
		next = next[1:]
		p, ok := byPath[at]
		if !ok { // a directory shows its README
			at = path.Join(at, "README.md")
			p, ok = byPath[at]
		}
		if !ok || reached[at] {
			continue
		}
		reached[at] = true
		for _, l := range p.links() {
			next = append(next, l.target)
		}
	}
	for at := range byPath {
		if !reached[at] {
			t.Errorf("no link leads from README to %s", at)
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
