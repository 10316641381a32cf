package spicedb

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/authzed/authzed-go/pkg/requestmeta"
	"github.com/authzed/authzed-go/pkg/responsemeta"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// ServerVersion returns SpiceDB's version, such as v1.56.2, or "" if the server does not
// say it (--disable-version-response).
func (c *Client) ServerVersion(ctx context.Context) (string, error) {
	const op = "ask for SpiceDB's version"
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	ctx = requestmeta.AddRequestHeaders(ctx, requestmeta.RequestServerVersion)
	var trailer metadata.MD
	if _, err := c.schema.ReflectSchema(ctx, reflectNothing(fullyConsistent()), grpc.Trailer(&trailer)); err != nil && !answered(err) {
		return "", c.failed(ctx, op, err)
	}
	if values := trailer.Get(string(responsemeta.ServerVersion)); len(values) > 0 {
		return values[0], nil
	}
	return "", nil
}

// SafeVersion is the oldest version of SpiceDB whose checks and lookups have no known
// vulnerability: older ones may answer from a cache for another caveat context, and may
// leave results out.
const SafeVersion = "v1.51.1"

// OldVersion says for an operator that a version is too old, and what to do. It is "" for
// one that is not, or that is not known to be.
func OldVersion(version string) string {
	if !IsOld(version, SafeVersion) {
		return ""
	}
	return fmt.Sprintf("SpiceDB %s has known vulnerabilities in checks and lookups, so that answers may be wrong: upgrade it to %s or newer", version, SafeVersion)
}

// release is the beginning of a version that has been released.
var release = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)(-.+)?$`)

// IsOld reports whether a version is surely older than another. One that is not of a
// release is not.
func IsOld(version, than string) bool {
	v, w := release.FindStringSubmatch(version), release.FindStringSubmatch(than)
	if v == nil || w == nil {
		return false
	}
	for i := 1; i <= 3; i++ {
		a, _ := strconv.Atoi(v[i])
		b, _ := strconv.Atoi(w[i])
		if a != b {
			return a < b
		}
	}
	return v[4] != "" && w[4] == "" // a candidate of the release
}
