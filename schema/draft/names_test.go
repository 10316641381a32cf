package draft

import (
	"slices"
	"testing"

	"github.com/shapegate/shapegate/schema"
)

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"documents": "documents", "userAccounts": "user_accounts", "Rec Caps": "rec_caps", "HTTPLog": "httplog",
		"__a--b__": "a_b", "v2Docs": "v2_docs", "Über": "über", "": "",
	} {
		if got := snake(name); got != want {
			t.Errorf("snake(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNamesake(t *testing.T) {
	definitions := []schema.Definition{
		{Name: "document"}, {Name: "app/category"}, {Name: "address"}, {Name: "status"}, {Name: "person"}, {Name: "box"}, {Name: "user_account"},
		{Name: "settings"}, {Name: "team"}, {Name: "teams"}, {Name: "a/tag"}, {Name: "b/tag"},
	}
	for table, want := range map[string][]string{
		"documents": {"document"}, "document": {"document"}, "Documents": {"document"}, "documented": nil, "docs": nil,
		"categories": {"app/category"}, "addresses": {"address"}, "status": {"status"}, "statuses": {"status"}, "people": {"person"},
		"boxes": {"box"}, "userAccounts": {"user_account"}, "setting": {"settings"}, "team": {"team"}, "teams": {"teams"},
		"tags": {"a/tag", "b/tag"}, "users": nil, "": nil,
	} {
		var got []string
		for _, d := range namesake(table, definitions) {
			got = append(got, d.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", table, got, want)
		}
	}
}

func TestIsSecret(t *testing.T) {
	for _, name := range []string{"password", "passwordHash", "api_key", "apiKey", "reset_token", "SSN", "client_secret", "salt", "private_key_pem",
		"passwordhash", "userpassword", "password2", "accesstoken", "refresh_token2", "clientsecret", "aws_access_key", "recovery_codes"} {
		if !isSecret(name) {
			t.Errorf("%s is taken for harmless", name)
		}
	}
	for _, name := range []string{"id", "title", "tokenized_at", "hashtag", "saltiness", "key", "secretary"} {
		if isSecret(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}
