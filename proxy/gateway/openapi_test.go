package gateway_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/integration/openapitest"
)

var openAPI = sync.OnceValues(func() (*openapitest.File, error) { return openapitest.Load("../openapi.yaml") })

// client returns a client for a URL of the gateway's, which holds each answer to
// openapi.yaml.
func (r *running) client(t *testing.T, url string) *http.Client {
	t.Helper()
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	at := openapitest.Public
	if strings.HasPrefix(url, r.admin) {
		at = openapitest.Admin
	}
	note := func(answer string, header http.Header) {
		r.given.Store(answer, true)
		if at == openapitest.Admin {
			checkCaching(t, answer, header)
		}
	}
	report := func(err error) { t.Error("openapi.yaml:", err) }
	return &http.Client{Transport: &openapitest.Transport{File: file, At: at, Next: http.DefaultTransport, Report: report, Note: note}}
}

var adminRoute = regexp.MustCompile(`mux\.Handle(?:Func)?\("([^"]+)"`)

func TestOpenAPIHasEachRouteOfOperatorsAndNoOther(t *testing.T) {
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("admin.go") // a ServeMux does not say what it has
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, m := range adminRoute.FindAllStringSubmatch(string(source), -1) {
		routes = append(routes, m[1])
	}
	slices.Sort(routes)
	if diff := cmp.Diff(routes, file.Operations(openapitest.Admin)); diff != "" {
		t.Errorf("(-admin.go +openapi.yaml)\n%s", diff)
	}
}

// What openapi.yaml says that operators may be answered is answered.
func TestEachAnswerOfOpenAPIToOperatorsIsGiven(t *testing.T) {
	r := startDemoGateway(t)
	explained := r.admin + "/explain?subject=user:bob&shape=documents&id=" + doc("4")[0]
	for _, url := range []string{r.admin + "/metrics", r.admin + "/healthz", r.admin + "/readyz", r.admin + "/explain", explained, explained + "&format=text"} {
		r.get(t, url)
	}
	r.engine.Pause()
	r.get(t, r.admin+"/readyz")
	r.get(t, explained)
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range file.Answers(openapitest.Admin) {
		if _, ok := r.given.Load(answer); !ok {
			t.Errorf("never given: %s", answer)
		}
	}
}

func TestOpenAPIHasEachReasonOfAnExplanation(t *testing.T) {
	file, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, reason := range []explain.Reason{
		explain.ByGate, explain.ByUnrestricted, explain.ByFilter, explain.GateDenied, explain.Unevaluable, explain.NoRow, explain.WhereNotMet,
		explain.ColumnNull, explain.NoObject, explain.Excluded, explain.ContextMissing, explain.ConditionFalse, explain.NotGranted,
	} {
		all = append(all, string(reason))
	}
	slices.Sort(all)
	if diff := cmp.Diff(all, file.Enum("Explanation", "reason")); diff != "" {
		t.Errorf("(-explain +openapi.yaml)\n%s", diff)
	}
}
