package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// discoveryPath is where an issuer says where its keys are, below its own URL (OpenID
// Connect Discovery 1.0, section 4).
const discoveryPath = "/.well-known/openid-configuration"

// wrongDocumentError says what is wrong with a discovery document that was there.
type wrongDocumentError string

func (e wrongDocumentError) Error() string { return "the discovery document " + string(e) }

// IsWrongDocument reports whether an error of Config.FetchKeys is about what the issuer's
// discovery document says, and not about its being away.
func IsWrongDocument(err error) bool {
	var wrong wrongDocumentError
	return errors.As(err, &wrong)
}

// discover returns the URL of the issuer's key set. The document is read anew for each
// fetch of the keys, since the URL may change. It must name the very issuer that is
// configured, or the keys would be those of another. Where the issuer is reached over
// https its keys must be, too.
func (s keyServer) discover(ctx context.Context) (string, error) {
	text, err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+discoveryPath)
	if err != nil {
		return "", fmt.Errorf("read the discovery document: %w", err)
	}
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return "", wrongDocumentError("cannot be read as JSON with the texts issuer and jwks_uri")
	}
	switch {
	case document.Issuer != s.issuer:
		return "", wrongDocumentError(fmt.Sprintf("names the issuer %.200q, and %q is configured: they must be equal to the letter", document.Issuer, s.issuer))
	case !isWebURL(document.Keys):
		return "", wrongDocumentError("has no http or https URL as its jwks_uri")
	case hasTLS(s.issuer) && !hasTLS(document.Keys):
		return "", wrongDocumentError("has a jwks_uri without TLS, and the issuer has TLS")
	}
	return document.Keys, nil
}
