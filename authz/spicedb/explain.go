package spicedb

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Explain says for an operator why a call of a Client failed, and which setting to
// put right if it is one. It names no address. What SpiceDB refuses is explained in
// SpiceDB's words, which may quote the request.
func Explain(err error) string {
	text := err.Error()
	switch code := codeOf(err); code {
	case codes.Unauthenticated, codes.PermissionDenied:
		return "SpiceDB refuses the preshared key: put SPICEDB_TOKEN right"
	case codes.InvalidArgument, codes.FailedPrecondition, codes.NotFound, codes.AlreadyExists:
		s, _ := status.FromError(unwrapped(err))
		return "SpiceDB refuses the request: " + s.Message()
	case codes.ResourceExhausted:
		return "SpiceDB is overloaded"
	case codes.Unavailable, codes.DeadlineExceeded:
		for _, known := range handshakes {
			if strings.Contains(text, known.fragment) {
				return known.advice
			}
		}
		return "SpiceDB does not answer: see SPICEDB_ENDPOINT, and whether SpiceDB is up"
	default:
		if errors.Is(err, context.DeadlineExceeded) {
			return "SpiceDB does not answer in time"
		}
		return text
	}
}

// handshakes are what gRPC says of a connection that cannot be set up.
var handshakes = []struct{ fragment, advice string }{
	{"first record does not look like a TLS handshake", "SpiceDB answers in plain text, and TLS is expected: have SpiceDB serve TLS or, in a network that is trusted, set SPICEDB_INSECURE=true"},
	{"failed to verify certificate", "SpiceDB's certificate is not trusted: name its authority's PEM file in SPICEDB_CA_FILE, and the certificate's host in SPICEDB_ENDPOINT"},
	{"error reading server preface", "SpiceDB does not answer in plain text: if it serves TLS, unset SPICEDB_INSECURE"},
	{"received before server preface", "SpiceDB does not answer in plain text: if it serves TLS, unset SPICEDB_INSECURE"},
}

// codeOf returns the gRPC code in err's chain, or OK if there is none.
func codeOf(err error) codes.Code {
	if e := unwrapped(err); e != nil {
		return status.Code(e)
	}
	return codes.OK
}

// unwrapped returns the error in err's chain that has a gRPC status, or nil.
func unwrapped(err error) error {
	for ; err != nil; err = errors.Unwrap(err) {
		if _, ok := err.(interface{ GRPCStatus() *status.Status }); ok { //nolint:errorlint // the chain is walked here
			return err
		}
	}
	return nil
}
