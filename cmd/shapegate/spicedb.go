package main

import (
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// commandTimeout bounds each call of a command to SpiceDB.
const commandTimeout = 10 * time.Second

// withSpiceDB makes a command's body of one that asks SpiceDB.
func withSpiceDB(s *settings, body func(cmd *cobra.Command, client *spicedb.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := s.require("SPICEDB_ENDPOINT", "SPICEDB_TOKEN"); err != nil {
			return err
		}
		config := s.spicedbConfig()
		config.Timeout, config.LookupTimeout = commandTimeout, commandTimeout
		config.Logger = slog.New(slog.DiscardHandler) // the command's error says it all
		client, err := spicedb.Dial(config)
		if err != nil {
			return &exitError{exitNoAnswer, err}
		}
		defer func() { _ = client.Close() }() // the answer is there already
		return body(cmd, client, args)
	}
}
