package openapitest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// File is an OpenAPI file.
type File struct {
	doc *openapi3.T

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by JSON pointer
}

// Load reads a file, and checks that it is OpenAPI, with its references and its examples.
func Load(name string) (*File, error) {
	text, err := os.ReadFile(name) //nolint:gosec // a test names it
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	f := &File{doc: doc, compiler: jsonschema.NewCompiler(), schemas: make(map[string]*jsonschema.Schema)}
	f.compiler.AssertFormat()
	return f, f.compiler.AddResource(resource, root)
}

// resource is what the compiler calls the file.
const resource = "file:///openapi"

// schema returns the schema at a JSON pointer, such as #/components/schemas/Error.
func (f *File) schema(pointer string) (*jsonschema.Schema, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.schemas[pointer]; ok {
		return s, nil
	}
	s, err := f.compiler.Compile(resource + strings.ReplaceAll(strings.ReplaceAll(pointer, "{", "%7B"), "}", "%7D"))
	if err == nil {
		f.schemas[pointer] = s
	}
	return s, err
}

// Address says which of a server's addresses a path is at.
type Address int

// The addresses: Public is that of the file's servers. Paths at Admin and ForwardAuth have
// servers of their own, whose description names the setting.
const (
	Public Address = iota
	Admin
	ForwardAuth
)

func addressOf(item *openapi3.PathItem) Address {
	switch {
	case len(item.Servers) == 0:
		return Public
	case strings.Contains(item.Servers[0].Description, "SHAPEGATE_FORWARD_AUTH_LISTEN"):
		return ForwardAuth
	default:
		return Admin
	}
}

// Operations lists the operations at an address, as "GET /v1/shape".
func (f *File) Operations(at Address) (all []string) {
	for path, item := range f.doc.Paths.Map() {
		if addressOf(item) != at {
			continue
		}
		for method := range item.Operations() {
			all = append(all, method+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// Answers lists the answers of the operations at an address, one for each status and media
// type, as "GET /v1/shape 200 application/json". Those to HEAD are not listed apart.
func (f *File) Answers(at Address) (all []string) {
	for path, item := range f.doc.Paths.Map() {
		if addressOf(item) != at {
			continue
		}
		for method, op := range item.Operations() {
			for status, response := range op.Responses.Map() {
				answer := strings.Join([]string{method, path, status}, " ")
				if len(response.Value.Content) == 0 || method == "HEAD" {
					all = append(all, answer)
					continue
				}
				for media := range response.Value.Content {
					all = append(all, answer+" "+media)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// QueryKeys lists the parameters in the query that all operations of a path have; none if
// the path is not in the file.
func (f *File) QueryKeys(path string) (all []string) {
	item := f.doc.Paths.Value(path)
	if item == nil {
		return nil
	}
	for _, p := range item.Parameters {
		if p.Value.In == openapi3.ParameterInQuery {
			all = append(all, p.Value.Name)
		}
	}
	slices.Sort(all)
	return all
}

// Enum lists the values that a property of a schema may have.
func (f *File) Enum(schema, property string) (all []string) {
	for _, v := range f.doc.Components.Schemas[schema].Value.Properties[property].Value.Enum {
		all = append(all, fmt.Sprint(v))
	}
	slices.Sort(all)
	return all
}
