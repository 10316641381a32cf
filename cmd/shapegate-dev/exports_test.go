package main

import (
	"bytes"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// A terminal that the line was pasted into can start another shapegate-dev.
func TestTheExportLineIsNoMistake(t *testing.T) {
	var out, errs bytes.Buffer
	if _, err := parseOptions([]string{"--help"}, []string{exported + "=127.0.0.1:9090", "SHAPEGATE_SHAPES=shapes.yaml"}, &out, &errs); !errors.Is(err, pflag.ErrHelp) || errs.Len() > 0 {
		t.Errorf("%v %s", err, errs.String())
	}
}

// The line is pasted into a terminal that may be in another folder.
func TestTheExportLineNamesTheShapesFromAnyFolder(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	folder := t.TempDir()
	t.Chdir(folder)
	w := &world{adminListener: listener}
	w.files.shapes = filepath.Join("my", "shapes.yaml")
	want := " SHAPEGATE_SHAPES='" + filepath.Join(folder, "my", "shapes.yaml") + "'"
	if line := (guide{world: w}).exports(); !strings.Contains(line, want) {
		t.Errorf("%s\nhas not%s", line, want)
	}
}
