package spicedb

import (
	"maps"
	"slices"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// withoutOffender returns a caveat context without the value that a call or check
// failed for: one of another type than the caveat's parameter ("high" for an int), or
// one that the caveat's expression fails on. Without the value the caveat is
// conditional, which is a denial of what needs it and of nothing else. It returns false
// if the error has nothing to do with the context.
func withoutOffender(values *structpb.Struct, err error) (*structpb.Struct, bool) {
	if len(values.GetFields()) == 0 || status.Code(err) != codes.InvalidArgument {
		return nil, false
	}
	left := maps.Clone(values.GetFields())
	switch reason, key := reasonOf(err); reason {
	case authzedv1.ErrorReason_ERROR_REASON_CAVEAT_PARAMETER_TYPE_ERROR.String():
		if left[key] == nil {
			return nil, false // the relationship's own value
		}
		delete(left, key)
	case authzedv1.ErrorReason_ERROR_REASON_CAVEAT_EVALUATION_ERROR.String():
		// SpiceDB does not say which value: the last by name goes, then the next.
		delete(left, aloneKey)
		if len(left) == 0 {
			return nil, false
		}
		delete(left, slices.Max(slices.Collect(maps.Keys(left))))
	default:
		return nil, false
	}
	return &structpb.Struct{Fields: left}, true
}

// reasonOf returns SpiceDB's reason of an error, and the caveat parameter that it
// names, if any.
func reasonOf(err error) (reason, parameter string) {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason(), info.GetMetadata()["parameter_name"]
		}
	}
	return "", ""
}
