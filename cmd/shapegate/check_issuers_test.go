package main

import (
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/oidctest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

func TestCheckConfigAsksTheIssuersForTheirKeys(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	issuer, url := oidctest.Serve(t, oidctest.Keycloak)
	audience := with(with(env, "SHAPEGATE_OIDC_ISSUER", url), "SHAPEGATE_JWT_AUDIENCE", "shapegate")
	checkConfig(t, audience).expect(t, 0, "ok: 5 shapes", "")
	checkConfig(t, with(env, "SHAPEGATE_OIDC_ISSUER", url)).expect(t, 0, "ok: 5 shapes", "hint: SHAPEGATE_OIDC_ISSUER takes tokens for any audience")
	// The slash is a part of the name.
	checkConfig(t, with(audience, "SHAPEGATE_OIDC_ISSUER", url+"/")).
		expect(t, 1, "", `SHAPEGATE_OIDC_ISSUER: the discovery document names the issuer "`+url+`", and "`+url+`/" is configured: they must be equal to the letter`)
	checkConfig(t, with(env, "SHAPEGATE_JWKS_URL", url+"/protocol/openid-connect/certs")).expect(t, 0, "ok: 5 shapes", "hint: SHAPEGATE_JWKS_URL takes")
	checkConfig(t, with(env, "SHAPEGATE_JWKS_URL", url+"/nowhere?s3cret")).
		expect(t, 2, "", "shapegate: ask the issuer (SHAPEGATE_JWKS_URL) for its keys: the key server did not answer properly: status 404")
	checkConfig(t, with(env, "SHAPEGATE_JWT_SECRET", strings.Repeat("x", 32))).expect(t, 0, "ok: 5 shapes", "")

	file := write(t, "issuers.yaml", "issuers:\n  staff: {issuer: "+url+", audience: shapegate}\n  away: {issuer: 'http://"+freePort(t)+"', subject_type: robot}\n")
	got := checkConfig(t, with(env, "SHAPEGATE_ISSUERS", file))
	got.expect(t, 2, "", "shapegate: ask the issuer (issuers.away) for its keys: read the discovery document: the key server did not answer properly: dial tcp")
	got.expect(t, 2, "", "hint: issuers.away takes tokens for any audience")
	if strings.Contains(got.stderr, "issuers.staff") {
		t.Errorf("the one that answers is named: %s", got.stderr)
	}
	issuer.GoAway(true)
	checkConfig(t, audience).expect(t, 2, "", "status 502")
	shapegate(t, audience, "", "check-config", "--offline", "--shapes", "../../schema/shapes.yaml").expect(t, 0, "ok: 5 shapes", "")
}

func TestAFileOfIssuersThatIsWrongIsSaidAtTheStart(t *testing.T) {
	env := startSpiceDB(t, spicedbtest.Config{Schema: demo.Schema})
	env["ELECTRIC_URL"], env["SHAPEGATE_SHAPES"] = "http://127.0.0.1:1", "../../schema/shapes.yaml"
	wrong := write(t, "issuers.yaml", "issuers:\n  staff: {isuer: x}\n")
	shapegate(t, with(env, "SHAPEGATE_ISSUERS", wrong), "", "serve").expect(t, 1, "", wrong+`:2:11: issuers.staff.isuer: is not a known key, did you mean "issuer"?`)
	checkConfig(t, with(env, "SHAPEGATE_ISSUERS", wrong)).expect(t, 1, "", wrong+":2:11: issuers.staff.isuer")
	shapegate(t, with(env, "SHAPEGATE_ISSUERS", "nowhere.yaml"), "", "serve").expect(t, 1, "", "SHAPEGATE_ISSUERS (--issuers) names no file that is there")
	shapegate(t, env, "", "serve").expect(t, 2, "", "not set: SHAPEGATE_JWT_SECRET (--jwt-secret) or SHAPEGATE_JWKS_URL (--jwks-url) or SHAPEGATE_OIDC_ISSUER (--oidc-issuer) or SHAPEGATE_ISSUERS (--issuers)")
}

func TestNoTokenIsSignedHereWhereAnIssuerDoes(t *testing.T) {
	for _, name := range []string{"SHAPEGATE_OIDC_ISSUER", "SHAPEGATE_ISSUERS"} {
		env := map[string]string{name: "https://issuer.example/"}
		shapegate(t, env, "", "token", "bob").expect(t, 2, "", name+" is set: the issuer signs the tokens")
		shapegate(t, with(env, "SHAPEGATE_JWT_SECRET", strings.Repeat("x", 32)), "", "token", "bob", "--ignore-jwks").expect(t, 0, "eyJ", "")
	}
}
