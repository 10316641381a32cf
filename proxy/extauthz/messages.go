package extauthz

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/shapegate/shapegate/proxy"
)

// headerOf returns the header of the request that is asked about. Envoy sends it in one of
// two forms: with encode_raw_headers as a list, and without it as a map, in which the values
// of a header that is there twice are joined by commas. Credentials that are there twice do
// not hold in either.
func headerOf(asked *authv3.AttributeContext_HttpRequest) http.Header {
	h := make(http.Header)
	for name, value := range asked.GetHeaders() {
		add(h, name, value)
	}
	for _, v := range asked.GetHeaderMap().GetHeaders() {
		value := v.GetValue()
		if raw := v.GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		add(h, v.GetKey(), value)
	}
	return h
}

func add(h http.Header, name, value string) {
	if !strings.HasPrefix(name, ":") { // no header: :path is told apart
		h.Add(name, value)
	}
}

// notForElectric are the headers of a client that Electric has no use for. Credentials would
// be in its logs.
var notForElectric = []string{"authorization", "cookie"}

// permitted lets a request pass, with another path and query.
func permitted(v proxy.Verdict) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{
				overwriting(":path", v.UpstreamURI),
				overwriting("shapegate-subject", v.Subject),
				overwriting("shapegate-shape", v.Shape),
			},
			HeadersToRemove: notForElectric,
		}},
	}
}

// denied answers the client in Electric's place.
func denied(v proxy.Verdict) *authv3.CheckResponse {
	response := &authv3.DeniedHttpResponse{
		Status: &typev3.HttpStatus{Code: typev3.StatusCode(v.Status)},
		Body:   string(v.Body),
	}
	for _, name := range slices.Sorted(maps.Keys(v.Header)) {
		for _, value := range v.Header[name] {
			response.Headers = append(response.Headers, overwriting(strings.ToLower(name), value))
		}
	}
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(codeOf(v.Status))},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: response},
	}
}

// codeOf is the code for logs; Envoy answers with the HTTP status.
func codeOf(status int) codes.Code {
	switch {
	case status == http.StatusUnauthorized:
		return codes.Unauthenticated
	case status == http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case status >= http.StatusInternalServerError:
		return codes.Unavailable
	default:
		return codes.PermissionDenied
	}
}

func overwriting(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
