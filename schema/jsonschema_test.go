package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/shapegate/shapegate/schema"
)

const schemaFile = "shapes.schema.json"

func TestTheSchemaFileIsWhatTheParserKnows(t *testing.T) {
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(schema.JSONSchema()), string(got)); diff != "" {
		t.Errorf("run go generate ./schema if this is right:\n%s", diff)
	}
}

// Editors of the language server for YAML look at this line.
func TestExamplesNameTheirSchema(t *testing.T) {
	todo, err := os.ReadFile("example/todo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{schemaFile: schema.Example, "../" + schemaFile: string(todo)} {
		first, _, _ := strings.Cut(text, "\n")
		if want := "# yaml-language-server: $schema=" + path; first != want {
			t.Errorf("a file begins with %q, want %q", first, want)
		}
	}
}

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.JSONSchema()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaFile, document); err != nil {
		return nil, err
	}
	return c.Compile(schemaFile)
})

// beyondStructure are errors that only the parser can tell.
var beyondStructure = regexp.MustCompile(strings.Join([]string{
	`is a duplicate`, `is the name of a shape, too`,
	`anchor or alias`, `anchors, aliases`, `a tag, which`,
	`a second document`,
	`not among the columns of the shape`,
	`is not declared under params`, `is declared and never used`,
	`shapes\.[^.]+\.where: [^m]`, // all but "must be a string"
	`the integer cannot be sent exactly`, `not a value that SpiceDB can be sent`,
	`bytes that Postgres keeps`,                // some characters have several
	`is not an object id that SpiceDB accepts`, // for its length
}, "|"))

// parseText is schema.Parse, by which all tests of the parser also test the JSON Schema: it
// refuses nothing that the parser accepts, and accepts nothing that is wrong in its
// structure.
func parseText(t *testing.T, file string, data []byte) (schema.File, error) {
	t.Helper()
	shapes, err := schema.Parse(file, data)
	isYAML, refused := checkWithSchema(t, data)
	switch {
	case !isYAML && err == nil:
		t.Errorf("the parser reads what is no YAML:\n%s", data)
	case refused != nil && err == nil:
		t.Errorf("the JSON Schema refuses what the parser accepts: %v\n%s", refused, data)
	case isYAML && refused == nil && err != nil:
		if i := slices.IndexFunc(list(err), func(err error) bool { return !beyondStructure.MatchString(err.Error()) }); i >= 0 {
			t.Errorf("the JSON Schema accepts what the parser refuses: %v\n%s", list(err)[i], data)
		}
	}
	return shapes, err
}

// checkWithSchema returns whether data is YAML, and what the JSON Schema has against it.
func checkWithSchema(t *testing.T, data []byte) (isYAML bool, refused error) {
	t.Helper()
	var document any
	if yaml.UnmarshalWithOptions(data, &document, yaml.AllowDuplicateMapKey()) != nil {
		return false, nil
	}
	rules, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return true, rules.Validate(document)
}

// properties returns the keys of a mapping, by name.
func properties(node any) map[string]any {
	object, _ := node.(map[string]any)
	found, _ := object["properties"].(map[string]any)
	return found
}

// keysOf returns all keys below node, as in authorize.gate.resource, each with its text.
func keysOf(node any, prefix string) map[string]string {
	keys := map[string]string{}
	for name, value := range properties(node) {
		object := value.(map[string]any)
		keys[prefix+name], _ = object["description"].(string)
		maps.Copy(keys, keysOf(object, prefix+name+"."))
		maps.Copy(keys, keysOf(object["items"], prefix+name+"."))
	}
	return keys
}

// Each key has a text that editors show, and the documentation has the key.
func TestEveryKeyIsDescribed(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(schema.JSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	shape := properties(root)["shapes"].(map[string]any)["additionalProperties"]
	keys := keysOf(shape, "")
	if len(keys) != 19 {
		t.Errorf("%d keys", len(keys))
	}
	page, err := os.ReadFile("SHAPES.md")
	if errors.Is(err, os.ErrNotExist) {
		page, err = os.ReadFile("../README.md")
	}
	if err != nil {
		t.Fatal(err)
	}
	for key, text := range keys {
		if text == "" {
			t.Errorf("%s has no description", key)
		}
		if strings.Count(key, ".") < 2 && key != "authorize" && !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("the documentation does not have `%s`", key)
		}
	}
}
