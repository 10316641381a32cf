package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/proxy/gateway"
)

func newTokenCommand(s *settings) *cobra.Command {
	var life time.Duration
	cmd := &cobra.Command{
		Use:   "token PERSON",
		Short: "Sign a token for local work",
		Long: `Sign a token of a person with SHAPEGATE_JWT_SECRET, for work without an issuer. It
has what SHAPEGATE_JWT_ISSUER, SHAPEGATE_JWT_AUDIENCE and SHAPEGATE_SUBJECT_CLAIM
ask for. Nothing but the token is written to the standard output.

Where SHAPEGATE_JWKS_URL, SHAPEGATE_OIDC_ISSUER or SHAPEGATE_ISSUERS is set, tokens
come from the issuer, and a shapegate with that setting refuses what is signed here.
--ignore-jwks signs all the same.`,
		Example: `  shapegate token bob
  shapegate token bob --claim clearance=2 --claim 'groups=["staff"]' --ttl 10m
  curl -H "Authorization: Bearer $(shapegate token bob)" 'localhost:8080/v1/shapes/documents?offset=-1'`,
		Args: usage(cobra.ExactArgs(1)),
	}
	claims := bindPairs(cmd.Flags(), "claim", "further "+claimUsage)
	cmd.Flags().DurationVar(&life, "ttl", time.Hour, "how long the token holds")
	cmd.Flags().BoolVar(&s.ignoreJWKS, "ignore-jwks", false, "sign although tokens come from an issuer")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		further, err := gateway.ParseClaims(*claims)
		if err != nil {
			return &exitError{exitNoAnswer, err}
		}
		token, err := signToken(s, args[0], further, life)
		if err != nil {
			return &exitError{exitNoAnswer, err}
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
		return err
	}
	return cmd
}

func signToken(s *settings, person string, further map[string]any, life time.Duration) (string, error) {
	cfg := s.identityConfig()
	if by := s.signedByIssuers(); by != "" && !s.ignoreJWKS {
		return "", fmt.Errorf("%s is set: the issuer signs the tokens, and a token that is signed here is refused there. --ignore-jwks signs one all the same", by)
	}
	if err := s.require("SHAPEGATE_JWT_SECRET"); err != nil {
		return "", err
	}
	if typ, id, ok := strings.Cut(person, ":"); ok {
		if typ != cfg.SubjectType {
			return "", fmt.Errorf("%s is no %s: tokens are of a %s (SHAPEGATE_SUBJECT_TYPE)", person, cfg.SubjectType, cfg.SubjectType)
		}
		person = id
	}
	cfg.JWKSURL, cfg.Discover = "", false
	return cfg.Sign(person, further, life)
}
