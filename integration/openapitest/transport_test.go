package openapitest_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/openapitest"
)

const file = `
openapi: 3.1.0
info: {title: test, version: "1"}
paths:
  /things/{name}:
    parameters:
      - {name: name, in: path, required: true, schema: {type: string}}
    get:
      parameters:
        - {name: live, in: query, schema: {type: boolean}}
      responses:
        "200":
          description: things
          headers:
            Count: {required: true, schema: {type: integer}}
          content:
            application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Message"}}}
            text/event-stream: {schema: {type: string}}
    post:
      requestBody:
        content:
          application/json: {schema: {$ref: "#/components/schemas/Message"}}
      responses:
        "204": {description: done}
  /inside:
    servers: [{url: "http://inside"}]
    get:
      responses:
        "204": {description: done}
components:
  responses:
    NotFound:
      description: no such path
  schemas:
    Message: {type: object, required: [id], properties: {id: {type: integer}}, additionalProperties: false}
`

type answer func(*http.Request) (*http.Response, error)

func (f answer) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWhatTheFileDoesNotAllowIsReported(t *testing.T) {
	name := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	spec, err := openapitest.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	const jsonHead, streamHead = "Content-Type: application/json; charset=utf-8\nCount: 1", "Content-Type: text/event-stream\nCount: 1"
	for _, tt := range []struct {
		request, sent string
		status        int
		head, body    string
		want          string // empty: nothing is wrong
	}{
		{"GET /things/a", "", 200, jsonHead, `[{"id":1}]`, ""},
		{"GET /things/a/?live=true", "", 200, jsonHead, `[]`, ""},
		{"GET /things/a", "", 200, streamHead, "data: {\"id\":1}\n\n: alive\n\ndata: {\"id\":2}\n\n", ""},
		{"POST /things/a", `{"id":1}`, 204, "", "", ""},
		{"GET /nothing", "", 404, "", "", ""},
		{"GET /inside", "", 404, "", "", ""},

		{"GET /things/a", "", 201, jsonHead, `[]`, "no such status"},
		{"GET /things/a", "", 200, "Content-Type: application/json", `[]`, "Count is missing"},
		{"GET /things/a", "", 200, jsonHead + "\nCount: 2", `[]`, "want integer"},
		{"GET /things/a", "", 200, "Content-Type: application/json\nCount: many", `[]`, "want integer"},
		{"GET /things/a", "", 200, jsonHead + "\nMore: 1", `[]`, "More is not in the file"},
		{"GET /things/a", "", 200, "Content-Type: text/html\nCount: 1", `[]`, `"text/html" is not in the file`},
		{"GET /things/a", "", 200, jsonHead, `[{"id":"1"}]`, "want integer"},
		{"GET /things/a", "", 200, jsonHead, `[`, "EOF"},
		{"GET /things/a", "", 200, streamHead, "data: {\"id\":1}\n\ndata: {}\n\n", "missing property 'id'"},
		{"GET /things/a", "", 200, streamHead, "id: 1\n\n", "neither an event nor a comment"},
		{"GET /things/a?live=maybe", "", 200, jsonHead, `[]`, "the key live"},
		{"GET /things/a?life=true", "", 200, jsonHead, `[]`, "the key life"},
		{"POST /things/a", `{"id":1,"more":1}`, 204, "", "", "the body of the request"},
		{"GET /nothing", "", 200, "", "", "not in the file"},
		{"PUT /things/a", "", 200, "", "", "not in the file"},
	} {
		var reported []string
		transport := &openapitest.Transport{
			File: spec, Report: func(err error) { reported = append(reported, err.Error()) },
			Next: answer(func(*http.Request) (*http.Response, error) {
				resp := &http.Response{StatusCode: tt.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(tt.body))}
				for line := range strings.Lines(tt.head) {
					name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
					resp.Header.Add(name, value)
				}
				return resp, nil
			}),
		}
		method, url, _ := strings.Cut(tt.request, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, "http://test"+url, strings.NewReader(tt.sent))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(reported, "; "); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s, %d, %q, %q: reported %q, want %q", tt.request, tt.status, tt.head, tt.body, got, tt.want)
		}
	}
}

func TestAFileThatIsNotOpenAPIIsRefused(t *testing.T) {
	for _, text := range []string{
		strings.Replace(file, "description: things", "describe: things", 1),
		strings.Replace(file, "schemas/Message", "schemas/Massage", 1),
		strings.Replace(file, "in: query", "in: body", 1),
	} {
		name := filepath.Join(t.TempDir(), "openapi.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openapitest.Load(name); err == nil {
			t.Error("it is read")
		}
	}
}
