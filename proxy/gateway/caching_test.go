package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/integration/cachingpage"
	"github.com/shapegate/shapegate/integration/openapitest"
)

var cachingPage = sync.OnceValues(func() (*cachingpage.Table, error) {
	return cachingpage.Load("../CACHING.md", "What operators are answered")
})

// checkCaching holds the headers of each answer to operators to CACHING.md.
func checkCaching(t *testing.T, answer string, header http.Header) {
	t.Helper()
	table, err := cachingPage()
	if err == nil {
		err = table.Check(answer, header)
	}
	if err != nil {
		t.Error("CACHING.md:", err)
	}
}

// The page has each answer of each route, and no other. TestEachAnswerOfOpenAPIToOperatorsIsGiven
// gets each of them, and so holds its headers to the page.
func TestCACHINGHasEachAnswerToOperators(t *testing.T) {
	table, err := cachingPage()
	if err != nil {
		t.Fatal(err)
	}
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, answer := range file.Answers(openapitest.Admin) {
		documented = append(documented, strings.Join(strings.Fields(answer)[:3], " "))
	}
	if diff := cmp.Diff(slices.Compact(documented), table.Answers()); diff != "" {
		t.Errorf("(-openapi.yaml +CACHING.md)\n%s", diff)
	}
}

func TestNoCacheKeepsWhatTheAdminAddressDoesNotHave(t *testing.T) {
	r := startDemoGateway(t)
	for _, request := range []string{"GET /nope", "POST /readyz", "HEAD /healthz"} {
		method, path, _ := strings.Cut(request, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, r.admin+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := resp.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: %s, Cache-Control: %q", request, resp.Status, got)
		}
	}
}
