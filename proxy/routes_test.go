package proxy

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/integration/openapitest"
)

func openAPI(t *testing.T) *openapitest.File {
	t.Helper()
	file, err := openapitest.Load("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOpenAPIHasEachRouteAndNoOther(t *testing.T) {
	var served []string
	for _, r := range (&middleware{}).router(nil, nil, &sessionServer{}, &gatekeeper{}).Routes() {
		served = append(served, r.Method+" "+strings.ReplaceAll(r.Path, ":name", "{name}"))
	}
	slices.Sort(served)
	if diff := cmp.Diff(served, openAPI(t).Operations(openapitest.Public)); diff != "" {
		t.Errorf("(-routes +openapi.yaml)\n%s", diff)
	}
}

func TestOpenAPIHasEachKeyOfTheQueryAndNoOther(t *testing.T) {
	for _, path := range []string{"/v1/shapes/{name}", "/v1/shape"} {
		keys := slices.DeleteFunc(openAPI(t).QueryKeys(path), func(key string) bool { return key == "params_of_the_shape" })
		if diff := cmp.Diff(slices.Sorted(maps.Keys(protocolKeys)), keys); diff != "" {
			t.Errorf("%s (-protocolKeys +openapi.yaml)\n%s", path, diff)
		}
	}
}

func TestOpenAPIHasEachKindOfErrorAndNoOther(t *testing.T) {
	var kinds []string
	for k := range statuses {
		kinds = append(kinds, string(k))
	}
	slices.Sort(kinds)
	if diff := cmp.Diff(kinds, openAPI(t).Enum("Error", "error")); diff != "" {
		t.Errorf("(-kinds +openapi.yaml)\n%s", diff)
	}
}

func TestOpenAPIHasTheStatusOfEachKindOfError(t *testing.T) {
	file := openAPI(t)
	for k, status := range statuses {
		method := http.MethodGet
		if k == methodNotAllowed {
			method = http.MethodPatch
		}
		for other := range statuses {
			body := (&problem{kind: other, message: "x", field: "y"}).body()
			err := file.CheckBody(method, "/v1/shape", status, body)
			if want := statuses[other] == status; (err == nil) != want {
				t.Errorf("status %d with %s: %v", status, other, err)
			}
		}
	}
}
