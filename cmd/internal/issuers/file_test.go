package issuers_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/cmd/internal/issuers"
)

const file = `# Staff and customers.
issuers:
  staff:
    issuer: https://sso.example.com/realms/acme
    audience: shapegate
    algorithms: [RS256, ES256]
    subject_claim: preferred.id
    subject_prefix: staff/
  customers:
    issuer: https://abc.supabase.co/auth/v1
    jwks_url: https://abc.supabase.co/auth/v1/.well-known/jwks.json
    subject_type: customer
    subject_encoding: base64url
  jobs:
    issuer: jobs
    secret_env: JOBS_SECRET
    subject_type: service
    shared_subjects: true
`

var secret = strings.Repeat("s3cret", 6)

func getenv(name string) string {
	return map[string]string{"JOBS_SECRET": secret, "SHORT": "s3cret"}[name]
}

func TestAFileOfIssuersIsRead(t *testing.T) {
	got, err := issuers.Parse("issuers.yaml", []byte(file), getenv)
	if err != nil {
		t.Fatal(err)
	}
	want := []issuers.Issuer{
		{Name: "staff", Config: identity.Config{
			Issuer: "https://sso.example.com/realms/acme", Discover: true, Audience: "shapegate", Algorithms: []string{"RS256", "ES256"},
			SubjectClaim: "preferred.id", SubjectIDs: identity.SubjectIDs{Prefix: "staff/"},
		}},
		{Name: "customers", Config: identity.Config{
			Issuer: "https://abc.supabase.co/auth/v1", JWKSURL: "https://abc.supabase.co/auth/v1/.well-known/jwks.json",
			SubjectType: "customer", SubjectIDs: identity.SubjectIDs{Base64URL: true},
		}},
		{Name: "jobs", Config: identity.Config{Issuer: "jobs", Secret: []byte(secret), SubjectType: "service", SubjectIDs: identity.SubjectIDs{Shared: true}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{"audience: shapegate", "audiense: shapegate", `issuers.yaml:5:5: issuers.staff.audiense: is not a known key, did you mean "audience"?`},
		{"audience: shapegate", "colour: red", `issuers.yaml:5:5: issuers.staff.colour: is not a known key (known: issuer, audience, `},
		{"audience: shapegate", "audience: [a]", "issuers.yaml:5:15: issuers.staff.audience: must be a string"},
		{"audience: shapegate", "audience: 7", "issuers.yaml:5:15: issuers.staff.audience: must be a string"},
		{"audience: shapegate", `audience: ""`, "issuers.yaml:5:15: issuers.staff.audience: is empty"},
		{"audience: shapegate", "audience:", "issuers.staff.audience: must be a string"},
		{"audience: shapegate", "issuer: b", "issuers.yaml:5:5: issuers.staff.issuer: is a duplicate"},
		{"audience: shapegate", "audience: &a shapegate", "issuers.staff.audience: must be a string"},
		{"audience: shapegate", "audience: {a: b}", "issuers.staff.audience: must be a string"},
		{"algorithms: [RS256, ES256]", "algorithms: RS256", "issuers.staff.algorithms: must be a list of strings"},
		{"algorithms: [RS256, ES256]", "algorithms: []", "issuers.staff.algorithms: must be a list of strings"},
		{"algorithms: [RS256, ES256]", "algorithms: [HS256]", `issuers.yaml:3:3: issuers.staff: the algorithm "HS256" is not one of RS256`},
		{"subject_encoding: base64url", "subject_encoding: base64", "issuers.customers.subject_encoding: must be base64url"},
		{"subject_prefix: staff/", "subject_prefix: staff@", "issuers.staff: the prefix of subject ids has characters"},
		{"subject_type: customer", "subject_type: Customer", "issuers.customers: subject type: "},
		{"subject_type: customer", "subject_type: user\n    shared_subjects: yes", "issuers.customers.shared_subjects: must be true or false"},
		{"    subject_type: customer\n", "    shared_subjects: true\n", "issuers: the issuers https://sso.example.com/realms/acme and https://abc.supabase.co/auth/v1 can both give the same user"},
		{"issuer: jobs", "issuer: https://abc.supabase.co/auth/v1", "issuers: the issuer https://abc.supabase.co/auth/v1 is given twice"},
		{"    issuer: jobs\n", "", "issuers.yaml:14:3: issuers.jobs.issuer: is missing"},
		{"secret_env: JOBS_SECRET", "secret_env: NOBODY", "issuers.jobs.secret_env: the variable NOBODY is not set"},
		{"secret_env: JOBS_SECRET", "secret_env: SHORT", "issuers.jobs.secret_env: the variable SHORT is not set, or has fewer than 32 bytes"},
		{"secret_env: JOBS_SECRET", "secret_env: JOBS_SECRET\n    jwks_url: https://x.example/s3cret", "issuers.jobs: more than one of a JWT secret, a JWKS URL and discovery"},
		{"    secret_env: JOBS_SECRET\n", "", "issuers.jobs: the issuer is not an absolute http or https URL, at which its keys could be discovered"},
		{"jwks_url: https://abc.supabase.co/auth/v1/.well-known/jwks.json", "jwks_url: s3cret", "issuers.customers: the JWKS URL is not an absolute http or https URL"},
		{"  jobs:", "  Jobs:", "issuers.yaml:14:3: issuers.Jobs: is no name for an issuer"},
		{"  jobs:", "  staff:", "issuers.yaml:14:3: issuers.staff: is a duplicate"},
		{"  jobs:", "  7:", "issuers: a key must be a string"},
		{"issuers:\n", "issuer:\n", `issuers.yaml:2:1: issuer: is not a known key, did you mean "issuers"?`},
		{file, "", "issuers: is missing: the file is empty"},
		{file, "issuers: {}", "issuers: is empty: name at least one issuer"},
		{file, "issuers: 7", "issuers: must be a mapping"},
		{file, "[a]", "must be a mapping"},
		{file, "issuers: {a: 7}", "issuers.a: must be a mapping"},
		{file, "a: [", "issuers.yaml:1:4: "},
		{file, "issuers: {}\n---\nissuers: {}", "several documents"},
	} {
		if !strings.Contains(file, tt.old) {
			t.Fatalf("%q is not in the file", tt.old)
		}
		_, err := issuers.Parse("issuers.yaml", []byte(strings.Replace(file, tt.old, tt.new, 1)), getenv)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.new, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error has a secret: %v", tt.new, err)
		}
	}
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := issuers.Parse("x.yaml", []byte("issuers:\n  a: {isuer: x}\n  b: {issuer: [], audience: 1}\n"), getenv)
	if err == nil || len(strings.Split(err.Error(), "\n")) != 3 {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	if _, err := issuers.Load("nowhere.yaml", getenv); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("got %v", err)
	}
}
