package proxy_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/integration/openapitest"
)

// example is an exchange of ROUTES.md. As a transport, it gives its answer.
type example struct {
	method, url  string
	status       int
	header       http.Header
	sent, answer string
}

var (
	exampleBlock  = regexp.MustCompile("(?s)```http\n(.*?)```")
	exampleStatus = regexp.MustCompile(`(?m)^\d{3}$`)
)

func examples(t *testing.T) (all []example) {
	t.Helper()
	page, err := os.ReadFile("ROUTES.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range exampleBlock.FindAllStringSubmatch(string(page), -1) {
		at := exampleStatus.FindStringIndex(block[1])
		if at == nil {
			t.Fatalf("an example without a status: %s", block[1])
		}
		line, _, _ := strings.Cut(block[1], "\n")
		method, url, _ := strings.Cut(line, " ")
		status, err := strconv.Atoi(block[1][at[0]:at[1]])
		if err != nil {
			t.Fatal(err)
		}
		_, sent, _ := strings.Cut(block[1][:at[0]], "\n\n")
		head, answer, _ := strings.Cut(strings.TrimPrefix(block[1][at[1]:], "\n")+"\n", "\n\n")
		all = append(all, example{method, url, status, exampleHeader(head), strings.TrimSpace(sent), answer})
	}
	return all
}

func exampleHeader(text string) http.Header {
	h := http.Header{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h
}

// RoundTrip implements http.RoundTripper.
func (e example) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: e.status, Header: e.header, Body: io.NopCloser(strings.NewReader(e.answer))}, nil
}

// The examples of the page are as openapi.yaml says, and each path has one.
func TestTheExamplesOfROUTESAreAsOpenAPISays(t *testing.T) {
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{"/metrics"} // Prometheus' format
	for _, e := range examples(t) {
		at := openapitest.Admin
		// What the page says once, for every answer.
		if strings.HasPrefix(e.url, "/v1/") || strings.HasPrefix(e.url, "/.well-known/") {
			if at = openapitest.Public; strings.HasPrefix(e.url, "/v1/authorize") {
				at = openapitest.ForwardAuth
			}
			e.header.Set("X-Content-Type-Options", "nosniff")
		} else {
			e.header.Set("Cache-Control", "no-store")
		}
		if strings.HasPrefix(e.url, "/v1/") {
			e.header.Set("Cache-Control", "private, no-store")
			e.header.Set("Vary", "Authorization, Cookie, Origin, Accept-Encoding")
		}
		transport := &openapitest.Transport{
			File: file, At: at, Next: e,
			Report: func(err error) { t.Errorf("%s %s: %v", e.method, e.url, err) },
			Note:   func(answer string, _ http.Header) { shown = append(shown, strings.Fields(answer)[1]) },
		}
		req, err := http.NewRequestWithContext(t.Context(), e.method, "http://example"+e.url, strings.NewReader(e.sent))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
	}
	var paths []string
	for _, at := range []openapitest.Address{openapitest.Public, openapitest.Admin, openapitest.ForwardAuth} {
		for _, operation := range file.Operations(at) {
			paths = append(paths, strings.Fields(operation)[1])
		}
	}
	for _, list := range []*[]string{&paths, &shown} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	if diff := cmp.Diff(paths, shown); diff != "" {
		t.Errorf("(-openapi.yaml +examples)\n%s", diff)
	}
}

// The page has each kind of error.
func TestROUTESHasEachKindOfError(t *testing.T) {
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("ROUTES.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range file.Enum("Error", "error") {
		if !strings.Contains(string(page), "| `"+kind+"` |") {
			t.Errorf("the table lacks %s", kind)
		}
	}
}
