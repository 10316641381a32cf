package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

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
