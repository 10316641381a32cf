package main

import (
	"context"
	"fmt"
	"time"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/cmd/internal/issuers"
)

const issuerTime = 12 * time.Second // longer than a fetch of keys may take

// checkIssuers asks each issuer of tokens for its keys.
func checkIssuers(r *report, s *settings) {
	all, err := s.issuers()
	if err != nil {
		r.wrong(err)
		return
	}
	for _, one := range all {
		checkIssuer(r, one)
	}
}

func checkIssuer(r *report, one issuers.Issuer) {
	if one.Audience == "" && len(one.Secret) == 0 {
		r.hint(one.Name + " takes tokens for any audience: if its issuer serves other applications, name the audience, or their tokens are good here")
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), issuerTime)
	defer cancel()
	switch err := one.FetchKeys(ctx); {
	case identity.IsWrongDocument(err):
		r.wrong(fmt.Errorf("%s: %w", one.Name, err))
	case err != nil:
		r.failed(fmt.Errorf("ask the issuer (%s) for its keys: %w", one.Name, err))
	}
}
