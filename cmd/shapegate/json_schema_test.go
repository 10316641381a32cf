package main

import (
	"testing"

	"github.com/shapegate/shapegate/schema"
)

// Who has only the binary gets the JSON Schema from it, whatever is not set.
func TestJSONSchema(t *testing.T) {
	got := shapegate(t, nil, "", "json-schema")
	if got.code != 0 || got.stdout != string(schema.JSONSchema()) || got.stderr != "" {
		t.Errorf("exit code %d, %q: %s", got.code, got.stderr, got.stdout)
	}
	shapegate(t, nil, "", "json-schema", "x").expect(t, 2, "", "json-schema takes no arguments")
}
