package openapitest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// checkRequest checks the query and the body of a request that was answered with success:
// the file has to allow what the server takes.
func (a *answer) checkRequest(r *http.Request) error {
	var all []error
	for key, values := range r.URL.Query() {
		for _, v := range values {
			if err := a.checkKey(key, v); err != nil {
				all = append(all, fmt.Errorf("the key %s of the query: %q: %w", key, v, err))
			}
		}
	}
	return errors.Join(append(all, a.checkBody(r))...)
}

func (a *answer) checkBody(r *http.Request) error {
	if r.GetBody == nil || r.ContentLength == 0 || a.operation.RequestBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(body)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return err
	}
	content := a.operation.RequestBody.Value.Content["application/json"]
	if err := a.file.checkJSON(content.Schema.Ref, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("the body of the request: %w", err)
	}
	return nil
}

var errKey = errors.New("it is not in the file")

// checkKey checks a key of the query. A key in brackets belongs to a deepObject, and one
// that nothing else has to the parameter that is an object in the style of a form.
func (a *answer) checkKey(key, value string) error {
	name, member, bracketed := strings.Cut(strings.TrimSuffix(key, "]"), "[")
	if p, ok := a.parameter(key); ok {
		if p.Content != nil {
			return a.file.checkJSON(p.schema, strings.NewReader(value))
		}
		if p.Schema.Value.Type.Is("array") {
			return a.file.check(p.schema, []any{value})
		}
		return a.file.checkText(p.schema, p.Schema.Value, value)
	}
	if p, ok := a.parameter(name); ok && bracketed {
		return a.file.check(p.schema, map[string]any{member: value})
	}
	for _, p := range a.parameters() {
		if p.Style == openapi3.SerializationForm && p.Schema.Value.Type.Is("object") {
			return a.file.check(p.schema, map[string]any{key: value})
		}
	}
	return errKey
}

// parameter is a parameter in the query.
type parameter struct {
	*openapi3.Parameter
	schema string // the pointer to it
}

// parameter finds a parameter by its name.
func (a *answer) parameter(name string) (parameter, bool) {
	all := a.parameters()
	i := slices.IndexFunc(all, func(p parameter) bool { return p.Name == name })
	if i < 0 {
		return parameter{}, false
	}
	return all[i], true
}

// parameters returns those of the path and those of the operation.
func (a *answer) parameters() (all []parameter) {
	add := func(list openapi3.Parameters, at ...string) {
		for i, p := range list {
			if p.Value.In != openapi3.ParameterInQuery {
				continue
			}
			schema := pointerOf(p.Ref, append(at, "parameters", strconv.Itoa(i))...)
			if p.Value.Content != nil {
				schema += "/content/application~1json"
			}
			all = append(all, parameter{p.Value, schema + "/schema"})
		}
	}
	add(a.item.Parameters, "#", "paths", a.template)
	add(a.operation.Parameters, "#", "paths", a.template, a.method)
	return all
}
