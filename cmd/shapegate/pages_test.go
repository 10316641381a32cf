package main

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages returns the text of the repository's pages, by their paths.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist" || d.Name() == ".git"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			all[path] = string(read(t, path))
		}
		return nil
	})
	if err != nil || len(all) < 10 {
		t.Fatalf("%d pages: %v", len(all), err)
	}
	return all
}

var (
	// code is what stands in code: a fenced block, or a span.
	code = regexp.MustCompile("(?s)```.*?\n```|`[^`\n]+`")
	// call is a command, where one can stand in a shell, with what follows it up to its end.
	call  = regexp.MustCompile("(?m)(?:^\\s*|[`(/]|\\| |--rm )shapegate ([a-z][a-z-]*)([^`\n|)&;#]*)")
	aFlag = regexp.MustCompile(`--([a-z-]+)`)
)

// Each "shapegate …" in the code of a page is a command, and its flags are the command's.
func TestPagesNameCommandsThatThereAre(t *testing.T) {
	named := map[string]bool{}
	for path, text := range pages(t) {
		for _, block := range code.FindAllString(text, -1) {
			for _, m := range call.FindAllStringSubmatch(block, -1) {
				root := newRootCommand(nil)
				command, _, err := root.Find(append([]string{m[1]}, strings.Fields(m[2])...))
				if err != nil || command == root {
					t.Errorf("%s: there is no shapegate %s", path, m[1])
					continue
				}
				named[m[1]] = true
				for _, flag := range aFlag.FindAllStringSubmatch(m[2], -1) {
					command.InheritedFlags() // has the root's merged
					if flag[1] != "help" && command.Flag(flag[1]) == nil {
						t.Errorf("%s: shapegate %s has no --%s", path, m[1], flag[1])
					}
				}
			}
		}
	}
	for _, command := range newRootCommand(nil).Commands() {
		if !named[command.Name()] && command.Name() != "completion" && command.Name() != "help" {
			t.Errorf("no page names shapegate %s", command.Name())
		}
	}
}

var settingName = regexp.MustCompile(`\b(?:SHAPEGATE|ELECTRIC|SPICEDB|REDIS)_[A-Z0-9][A-Z0-9_]*\b`)

// Each setting that a page names is one, or a variable of docker-compose.yml.
func TestPagesNameSettingsThatThereAre(t *testing.T) {
	known := map[string]bool{"ELECTRIC_PROTOCOL_QUERY_PARAMS": true} // a name in @electric-sql/client
	for _, v := range new(settings).variables() {
		known[v.name] = true
	}
	for _, file := range []string{"../../docker-compose.yml", "../../.env.example"} {
		for _, name := range settingName.FindAllString(string(read(t, file)), -1) {
			known[name] = true
		}
	}
	for path, text := range pages(t) {
		for _, name := range settingName.FindAllString(text, -1) {
			if !known[name] && !strings.HasPrefix(name, "SHAPEGATE_TEST_") {
				t.Errorf("%s: %s is no setting", path, name)
			}
		}
	}
}
