package openapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// answer is what the file says of one answer to a request.
type answer struct {
	file      *File
	name      string // "GET /v1/shape 200"
	template  string // the path
	method    string // in lower case
	operation *openapi3.Operation
	item      *openapi3.PathItem
	response  *openapi3.Response
	pointer   string // to the response
}

// answer finds the answer with a status to a request. A path or a method that is not in the
// file has the response NotFound or MethodNotAllowed of the file's components.
func (f *File) answer(at Address, method, path string, status int) (*answer, error) {
	template, item := f.item(at, path)
	if item == nil {
		return f.unmatched(status, http.StatusNotFound, "NotFound", method+" "+path)
	}
	op := item.Operations()[method]
	if op == nil {
		return f.unmatched(status, http.StatusMethodNotAllowed, "MethodNotAllowed", method+" "+path)
	}
	name := fmt.Sprintf("%s %s %d", method, template, status)
	ref := op.Responses.Status(status)
	if ref == nil {
		return nil, fmt.Errorf("%s: the operation has no such status", name)
	}
	a := &answer{file: f, name: name, template: template, method: strings.ToLower(method), operation: op, item: item, response: ref.Value}
	a.pointer = pointerOf(ref.Ref, "#", "paths", template, a.method, "responses", strconv.Itoa(status))
	return a, nil
}

func (f *File) unmatched(status, want int, response, what string) (*answer, error) {
	ref := f.doc.Components.Responses[response]
	if status != want || ref == nil {
		return nil, fmt.Errorf("%s is not in the file, and was answered %d", what, status)
	}
	return &answer{file: f, name: fmt.Sprint(what, " ", status), response: ref.Value, pointer: pointerOf("", "#", "components", "responses", response)}, nil
}

// item finds the path item of a path. One slash at its end is no part of a path.
func (f *File) item(at Address, path string) (template string, item *openapi3.PathItem) {
	for template, item := range f.doc.Paths.Map() {
		if addressOf(item) == at && matches(template, strings.TrimSuffix(path, "/")) {
			return template, item
		}
	}
	return "", nil
}

func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, have, func(w, h string) bool {
		return w == h || strings.HasPrefix(w, "{") && h != ""
	})
}

// pointerOf is a reference or, without one, the JSON pointer of the parts.
func pointerOf(ref string, parts ...string) string {
	if ref != "" {
		return ref
	}
	for i, p := range parts[1:] {
		parts[i+1] = strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	return strings.Join(parts, "/")
}

// ownHeaders are those that HTTP itself needs, and need not be in the file.
var ownHeaders = []string{"Content-Type", "Content-Length", "Content-Encoding", "Date", "Connection"}

// checkHeaders checks that no header is missing, has another value or is unknown. What CORS
// has for every answer, the file says once.
func (a *answer) checkHeaders(h http.Header) error {
	var all []error
	for name, ref := range a.response.Headers {
		values := h.Values(name)
		switch {
		case len(values) == 0 && ref.Value.Required:
			all = append(all, fmt.Errorf("the header %s is missing", name))
		case len(values) > 0:
			// As HTTP has it, several lines are one list.
			if err := a.checkHeader(name, ref, strings.Join(values, ", ")); err != nil {
				all = append(all, fmt.Errorf("the header %s: %q: %w", name, values, err))
			}
		}
	}
	for name := range h {
		known := slices.Contains(ownHeaders, name) || strings.HasPrefix(name, "Access-Control-")
		for in := range a.response.Headers {
			known = known || http.CanonicalHeaderKey(in) == name
		}
		if !known {
			all = append(all, fmt.Errorf("the header %s is not in the file", name))
		}
	}
	return errors.Join(all...)
}

func (a *answer) checkHeader(name string, ref *openapi3.HeaderRef, text string) error {
	pointer := pointerOf(ref.Ref, a.pointer, "headers", name)
	if len(ref.Value.Content) > 0 {
		return a.file.checkJSON(pointerOf("", pointer, "content", "application/json", "schema"), strings.NewReader(text))
	}
	return a.file.checkText(pointer+"/schema", ref.Value.Schema.Value, text)
}

// checkText checks what a header or a key of the query says: a text that stands for a
// value of the schema's type.
func (f *File) checkText(pointer string, schema *openapi3.Schema, text string) error {
	var value any = text
	if t := schema.Type; t.Is("integer") || t.Is("boolean") {
		if v, err := jsonschema.UnmarshalJSON(strings.NewReader(text)); err == nil {
			value = v
		}
	}
	return f.check(pointer, value)
}

// media returns the media type of an answer; empty where it has no content.
func (a *answer) media(h http.Header) (string, error) {
	text := h.Get("Content-Type")
	if text == "" && len(a.response.Content) == 0 {
		return "", nil
	}
	media, _, err := mime.ParseMediaType(text)
	if err != nil || a.response.Content[media] == nil {
		return "", fmt.Errorf("the media type %q is not in the file", text)
	}
	return media, nil
}

// schemaOf is the pointer to the schema of a media type.
func (a *answer) schemaOf(media string) string {
	return pointerOf("", a.pointer, "content", media, "schema")
}

// CheckBody checks a body in JSON as that of the public answer with a status.
func (f *File) CheckBody(method, path string, status int, body any) error {
	a, err := f.answer(Public, method, path, status)
	if err != nil {
		return err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return f.checkJSON(a.schemaOf("application/json"), bytes.NewReader(text))
}
