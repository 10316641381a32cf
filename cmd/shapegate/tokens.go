package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/cmd/internal/issuers"
	"github.com/shapegate/shapegate/proxy"
)

// sourcesOfKeys are the settings of which one says what tokens are verified with.
var sourcesOfKeys = []string{"SHAPEGATE_JWT_SECRET", "SHAPEGATE_JWKS_URL", "SHAPEGATE_OIDC_ISSUER", "SHAPEGATE_ISSUERS"}

// givesTokens is for settings.require.
var givesTokens = strings.Join(sourcesOfKeys, "|")

// identityConfig says which tokens hold, where there is one issuer.
func (s *settings) identityConfig() identity.Config {
	c := s.Gateway.Identity
	c.Secret = []byte(s.JWTSecret.reveal())
	return c
}

// issuers are those whose tokens hold, each with the name of its key in the file or, where
// there is no file, of the setting that gives its keys. There is none where no setting does. The error names the file, and all that is wrong
// with it.
func (s *settings) issuers() ([]issuers.Issuer, error) {
	if s.IssuersFile != "" {
		all, err := issuers.Load(s.IssuersFile, s.getenv)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("SHAPEGATE_ISSUERS (--issuers) names no file that is there: %w", err)
		}
		for i := range all {
			all[i].Name = "issuers." + all[i].Name
		}
		return all, err
	}
	for _, name := range sourcesOfKeys {
		if s.raw[name].text != "" {
			return []issuers.Issuer{{Name: name, Config: s.identityConfig()}}, nil
		}
	}
	return nil, nil
}

func configsOf(all []issuers.Issuer) []identity.Config {
	configs := make([]identity.Config, len(all))
	for i, one := range all {
		configs[i] = one.Config
	}
	return configs
}

// signedByIssuers is the setting that says that tokens are signed elsewhere; empty: they may
// be signed here.
func (s *settings) signedByIssuers() string {
	for _, name := range sourcesOfKeys[1:] {
		if s.raw[name].text != "" {
			return name
		}
	}
	return ""
}

// contradictionsOfTokens returns what is said twice about tokens.
func (s *settings) contradictionsOfTokens() []error {
	if s.ignoreJWKS {
		return nil
	}
	var errs []error
	var given []string
	for _, name := range sourcesOfKeys {
		if s.raw[name].text != "" {
			given = append(given, name)
		}
	}
	if len(given) > 1 {
		errs = append(errs, fmt.Errorf("%s exclude each other", strings.Join(given, " and ")))
	}
	exclude := func(one, other, why string) {
		if s.raw[one].text != "" && s.raw[other].text != "" && s.raw[other].text != s.def(other) {
			errs = append(errs, fmt.Errorf("%s and %s exclude each other: %s", one, other, why))
		}
	}
	exclude("SHAPEGATE_OIDC_ISSUER", "SHAPEGATE_JWT_ISSUER", "a token's iss must be the first already")
	for _, name := range []string{"SHAPEGATE_JWT_ISSUER", "SHAPEGATE_JWT_AUDIENCE", "SHAPEGATE_SUBJECT_CLAIM", "SHAPEGATE_SUBJECT_TYPE"} {
		exclude("SHAPEGATE_ISSUERS", name, "the file says it for each issuer")
	}
	return errs
}

// def is the default of a setting.
func (s *settings) def(name string) string {
	for _, v := range s.variables() {
		if v.name == name {
			return v.def
		}
	}
	return ""
}

// discovered reads the URL of an issuer whose keys are discovered.
func discovered(c *identity.Config) func(string) error {
	read := webURL(&c.Issuer)
	return func(value string) error {
		if strings.ContainsAny(value, "?#") {
			return errors.New("must be a URL without ? and #")
		}
		c.Discover = true
		return read(value)
	}
}

func tokenHeader(field *proxy.TokenSources) func(string) error {
	return func(value string) error {
		field.Header = value
		return proxy.TokenSources{Header: value}.Check()
	}
}

func tokenCookie(field *proxy.TokenSources) func(string) error {
	return func(value string) error {
		field.Cookie = value
		return proxy.TokenSources{Cookie: value}.Check()
	}
}
