package main

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/shapegate/shapegate/integration/load/internal/gate"
	"github.com/shapegate/shapegate/integration/load/internal/serve"
)

// newChildCommands returns the commands that the tool starts itself with, in
// processes of their own.
func newChildCommands(getenv func(string) string) []*cobra.Command {
	return []*cobra.Command{newBackendCommand(), newProxyCommand(getenv), newBareCommand(), newRelayCommand()}
}

func newChildCommand(name string, run func(c *cobra.Command) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, _ []string) error { return run(c) },
	}
}

func newBackendCommand() *cobra.Command {
	var without bool
	c := newChildCommand("backend", func(c *cobra.Command) error {
		return serve.Backend(c.Context(), c.InOrStdin(), c.OutOrStdout(), !without)
	})
	c.Flags().BoolVar(&without, "without-spicedb", false, "")
	return c
}

func newProxyCommand(getenv func(string) string) *cobra.Command {
	var cfg gate.Config
	c := newChildCommand("proxy", func(c *cobra.Command) error {
		cfg.Secret, cfg.SpiceDB.Token = []byte(getenv("SHAPEGATE_JWT_SECRET")), getenv("SPICEDB_TOKEN")
		return serve.Proxy(c.Context(), c.InOrStdin(), c.OutOrStdout(), cfg)
	})
	c.Flags().StringVar(&cfg.Electric.URL, "electric-url", "", "")
	c.Flags().StringVar(&cfg.SpiceDB.Endpoint, "spicedb-endpoint", "", "")
	c.Flags().BoolVar(&cfg.SpiceDB.Insecure, "spicedb-insecure", false, "")
	return c
}

func newBareCommand() *cobra.Command {
	return newChildCommand("bare", func(c *cobra.Command) error {
		return serve.Bare(c.Context(), c.InOrStdin(), c.OutOrStdout())
	})
}

func newRelayCommand() *cobra.Command {
	var electric string
	c := newChildCommand("relay", func(c *cobra.Command) error {
		base, err := url.Parse(electric)
		if err != nil {
			return err
		}
		return serve.Relay(c.Context(), c.InOrStdin(), c.OutOrStdout(), base)
	})
	c.Flags().StringVar(&electric, "electric-url", "", "")
	return c
}
