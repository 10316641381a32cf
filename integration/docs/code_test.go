package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema"
)

var block = regexp.MustCompile("(?ms)^[ \t]*```([a-z]+)\n(.*?)^[ \t]*```$")

// blocks are the fenced code blocks of a language in a page.
func (p page) blocks(language string) (all []string) {
	for _, m := range block.FindAllStringSubmatch(p.text, -1) {
		if m[1] == language {
			all = append(all, m[2])
		}
	}
	return all
}

// Each file of shapes in a page is one that shapegate accepts.
func TestShapesOfPagesAreAccepted(t *testing.T) {
	t.Chdir(root)
	seen := 0
	for _, p := range pages(t) {
		for _, text := range p.blocks("yaml") {
			if !strings.Contains("\n"+text, "\nshapes:") { // comments may come first
				continue
			}
			seen++
			if _, err := schema.Parse(p.path, []byte(text)); err != nil {
				t.Errorf("%v, in:\n%s", err, text)
			}
		}
	}
	if seen == 0 {
		t.Error("no page has shapes")
	}
}

// Each schema in a page is one that SpiceDB accepts.
func TestSchemasOfPagesAreAccepted(t *testing.T) {
	t.Chdir(root)
	seen := 0
	for _, p := range pages(t) {
		for _, text := range p.blocks("zed") {
			seen++
			if !strings.Contains(text, "definition user ") {
				text += "\ndefinition user {}\n"
			}
			server, err := spicedbtest.New(t.Context(), spicedbtest.Config{Schema: text})
			if err != nil {
				t.Errorf("%s: %v, in:\n%s", p.path, err, text)
				continue
			}
			_ = server.Close()
		}
	}
	if seen == 0 {
		t.Error("no page has a schema")
	}
}
