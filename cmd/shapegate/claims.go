package main

import "github.com/spf13/pflag"

// bindPairs adds a flag that is given as name=value, any number of times.
func bindPairs(flags *pflag.FlagSet, name, usage string) *[]string {
	var pairs []string
	flags.StringArrayVar(&pairs, name, nil, usage)
	return &pairs
}

const claimUsage = "claim of the subject's token, as name=value; JSON, or else a string"
