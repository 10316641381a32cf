package issuers

import (
	"errors"
	"regexp"

	"github.com/goccy/go-yaml/ast"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
)

// key is a key that an issuer of the file may have.
type key struct {
	name    string
	meaning string
	read    func(r *reader, n node, c *identity.Config)
}

// keys are all of them. authz/identity/README.md has the same table.
var keys = []key{
	{"issuer", "the `iss` of its tokens, to the letter", func(r *reader, n node, c *identity.Config) { c.Issuer = r.text(n) }},
	{"audience", "what `aud` must contain; without it, anything", func(r *reader, n node, c *identity.Config) { c.Audience = r.text(n) }},
	{"jwks_url", "where the issuer publishes its keys. Without it and `secret_env` they are discovered: at `issuer` + `/.well-known/openid-configuration`", func(r *reader, n node, c *identity.Config) { c.JWKSURL = r.text(n) }},
	{"secret_env", "the environment variable that has the secret of tokens signed with HS256, at least 32 bytes", func(r *reader, n node, c *identity.Config) {
		name := r.text(n)
		if c.Secret = []byte(r.getenv(name)); name != "" && len(c.Secret) < identity.MinSecretSize {
			r.fail(n.Node, n.key, "the variable %s is not set, or has fewer than %d bytes", name, identity.MinSecretSize)
		}
	}},
	{"algorithms", "signature algorithms that are accepted, as in `[RS256]`; without it, all asymmetric ones", func(r *reader, n node, c *identity.Config) { c.Algorithms = r.texts(n) }},
	{"subject_claim", "the claim that has the subject's id; `sub` by default", func(r *reader, n node, c *identity.Config) { c.SubjectClaim = r.text(n) }},
	{"subject_type", "the subject's definition in SpiceDB's schema; `user` by default", func(r *reader, n node, c *identity.Config) { c.SubjectType = r.text(n) }},
	{"subject_prefix", "stands before each id, as in `staff/`", func(r *reader, n node, c *identity.Config) { c.SubjectIDs.Prefix = r.text(n) }},
	{"subject_encoding", "`base64url`: each id is written in base64url without padding", func(r *reader, n node, c *identity.Config) {
		if c.SubjectIDs.Base64URL = r.text(n) == "base64url"; !c.SubjectIDs.Base64URL {
			r.fail(n.Node, n.key, "must be base64url, or left out")
		}
	}},
	{"shared_subjects", "`true`: an id of this issuer and the same id of another one that says so are the same subject", func(r *reader, n node, c *identity.Config) { c.SubjectIDs.Shared = r.boolean(n) }},
}

// Keys returns the names of the keys and their meanings, in Markdown.
func Keys() [][2]string {
	all := make([][2]string, len(keys))
	for i, k := range keys {
		all[i] = [2]string{k.name, k.meaning}
	}
	return all
}

// issuerName is what the file may call an issuer.
var issuerName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

func (r *reader) issuers(list node) (all []Issuer) {
	for _, p := range r.pairs(list) {
		if !issuerName.MatchString(p.name) {
			r.fail(p.place, p.key, "is no name for an issuer: it must match %s", issuerName)
		}
		all = append(all, Issuer{p.name, r.issuer(p)})
	}
	if len(all) == 0 && len(r.errs) == 0 {
		r.fail(list.Node, list.key, "is empty: name at least one issuer")
	}
	if len(r.errs) == 0 {
		configs := make([]identity.Config, len(all))
		for i, one := range all {
			configs[i] = one.Config
		}
		r.validate(list.Node, list.key, configs...)
	}
	return all
}

func (r *reader) issuer(p pair) identity.Config {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	c, before := identity.Config{}, len(r.errs)
	given := r.mapping(p.Node, p.key, names)
	for _, k := range keys {
		if n, ok := given[k.name]; ok {
			k.read(r, n, &c)
		}
	}
	if _, ok := given["issuer"]; !ok && len(r.errs) == before {
		r.fail(p.place, p.key+".issuer", "is missing")
	}
	c.Discover = c.JWKSURL == "" && given["secret_env"].Node == nil
	if len(r.errs) == before {
		r.validate(p.place, p.key, c)
	}
	return c
}

// validate has issuers checked as they are when shapegate starts.
func (r *reader) validate(at ast.Node, key string, configs ...identity.Config) {
	err := identity.Validate(configs...)
	if known := (*authz.Error)(nil); errors.As(err, &known) && known.Err != nil {
		err = known.Err // without the words about what failed: its place is said
	}
	if err != nil {
		r.fail(at, key, "%v", err)
	}
}
