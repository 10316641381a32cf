package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// pairs are the values of a flag that is given as name=value, any number of times.
type pairs []string

// bindPairs adds such a flag.
func bindPairs(flags *pflag.FlagSet, name, usage string) *pairs {
	var p pairs
	flags.StringArrayVar((*[]string)(&p), name, nil, usage)
	return &p
}

const claimUsage = "claim of the subject's token, as name=value; JSON, or else a string"

// texts returns the values by their names.
func (p pairs) texts(flag string) (map[string]string, error) {
	values := make(map[string]string, len(p))
	for _, pair := range p {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := values[name]; !ok || name == "" || twice {
			return nil, &exitError{exitNoAnswer, fmt.Errorf("--%s: give name=value, each name once", flag)}
		}
		values[name] = value
	}
	return values, nil
}

// claims returns the values by their names: of those that are JSON what JSON says, of
// others the text.
func (p pairs) claims(flag string) (map[string]any, error) {
	texts, err := p.texts(flag)
	if err != nil {
		return nil, err
	}
	claims := make(map[string]any, len(texts))
	for name, text := range texts {
		claims[name] = jsonOrText(text)
	}
	return claims, nil
}

func jsonOrText(text string) any {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return text
	}
	return value
}
