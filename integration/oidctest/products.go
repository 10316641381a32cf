package oidctest

// Product says how a product publishes its keys, and what is in its tokens, besides iss, iat
// and exp. The tokens are those that the products document.
type Product struct {
	// Name is the product's heading in authz/identity/README.md.
	Name string

	Issuer    string // iss
	Keys      string // URL of the key set
	Discovers bool   // there is a discovery document
	Algorithm string
	Claims    map[string]any
}

// The products. Each has the names that its section of the page has.
var (
	Auth0 = Product{
		Name: "Auth0", Issuer: "https://acme.eu.auth0.com/", Discovers: true,
		Keys: "https://acme.eu.auth0.com/.well-known/jwks.json", Algorithm: "RS256",
		Claims: map[string]any{
			"sub": "auth0|5f7c8ec7c33c6c004bbafe82",
			"aud": []string{"https://sync.example.com", "https://acme.eu.auth0.com/userinfo"},
			"azp": "my_client_id", "scope": "openid profile",
			"https://example.com/clearance": 2,
		},
	}

	Keycloak = Product{
		Name: "Keycloak", Issuer: "https://sso.example.com/realms/acme", Discovers: true,
		Keys: "https://sso.example.com/realms/acme/protocol/openid-connect/certs", Algorithm: "RS256",
		Claims: map[string]any{
			"sub": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "aud": []string{"shapegate", "account"},
			"typ": "Bearer", "azp": "web", "preferred_username": "ann",
			"realm_access": map[string]any{"roles": []string{"staff"}},
			"attributes":   map[string]any{"clearance": 2},
		},
	}

	Clerk = Product{
		Name: "Clerk", Issuer: "https://clerk.example.com", Discovers: true,
		Keys: "https://clerk.example.com/.well-known/jwks.json", Algorithm: "RS256",
		Claims: map[string]any{
			"sub": "user_2a7GhYyPlDCbZ1xyz", "sid": "sess_2a7Gh", "azp": "https://app.example.com", "v": 2,
			"o": map[string]any{"id": "org_123", "rol": "admin", "slg": "acme"}, "metadata": map[string]any{"clearance": 2},
		},
	}

	Supabase = Product{
		Name: "Supabase", Issuer: "https://abcdefghijklm.supabase.co/auth/v1",
		Keys: "https://abcdefghijklm.supabase.co/auth/v1/.well-known/jwks.json", Algorithm: "ES256",
		Claims: map[string]any{
			"sub": "8b1b2f6e-30b2-4c3f-9d6a-2f0a5c1f7f11", "aud": "authenticated", "role": "authenticated", "aal": "aal1",
			"session_id": "0f2c2e5f-7f5e-4d8e-8a38-0a4f2a1f5d20", "is_anonymous": false, "email": "ann@example.com",
			"app_metadata":  map[string]any{"provider": "email", "org_id": "org_123", "clearance": 2},
			"user_metadata": map[string]any{"clearance": 9},
		},
	}

	WorkOS = Product{
		Name: "WorkOS", Issuer: "https://api.workos.com/user_management/client_123456789",
		Keys: "https://api.workos.com/sso/jwks/client_123456789", Algorithm: "RS256",
		Claims: map[string]any{
			"sub": "user_01HBEQKA6K4QJAS93VPE39W1JT", "sid": "session_01HQSXZGF8FHF7A9ZZFCW4387R", "jti": "01HQSXZXPPFPKMDD32RKTFY6PV",
			"org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S", "role": "member", "permissions": []string{"posts:read"}, "clearance": 2,
		},
	}

	Pomerium = Product{
		Name: "Pomerium", Issuer: "sync.example.com",
		Keys: "https://sync.example.com/.well-known/pomerium/jwks.json", Algorithm: "ES256",
		Claims: map[string]any{
			"sub": "google/115113612318284210834", "aud": "sync.example.com", "email": "ann@example.com",
			"groups": []string{"staff"}, "sid": "6f1c", "jti": "8b0a", "clearance": 2,
		},
	}

	// OAuth2Proxy passes on the tokens of the issuer behind it, here of a Keycloak.
	OAuth2Proxy = Product{
		Name: "oauth2-proxy", Issuer: Keycloak.Issuer, Discovers: true,
		Keys: Keycloak.Keys, Algorithm: Keycloak.Algorithm, Claims: Keycloak.Claims,
	}

	CloudflareAccess = Product{
		Name: "Cloudflare Access", Issuer: "https://acme.cloudflareaccess.com",
		Keys: "https://acme.cloudflareaccess.com/cdn-cgi/access/certs", Algorithm: "RS256",
		Claims: map[string]any{
			"sub": "7335d417-61da-459d-899c-0a01c76a2f94", "aud": []string{"32eafc7626e737904d7c6a1e0cd4f9a8"},
			"email": "ann@example.com", "type": "app", "identity_nonce": "6ei69kawdKzMIAPF", "country": "CH",
			"custom": map[string]any{"clearance": 2},
		},
	}
)

// Products are all of them.
func Products() []Product {
	return []Product{Auth0, Keycloak, Clerk, Supabase, WorkOS, Pomerium, OAuth2Proxy, CloudflareAccess}
}
