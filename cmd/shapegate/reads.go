package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var (
	readsSpiceDB  = []string{"SPICEDB_ENDPOINT", "SPICEDB_TOKEN", "SPICEDB_INSECURE", "SPICEDB_CA_FILE"}
	readsElectric = []string{"ELECTRIC_URL", "ELECTRIC_SECRET"}
	readsShapes   = []string{"SHAPEGATE_SHAPES"}
	readsTokens   = []string{
		"SHAPEGATE_JWT_SECRET", "SHAPEGATE_JWKS_URL", "SHAPEGATE_OIDC_ISSUER", "SHAPEGATE_ISSUERS",
		"SHAPEGATE_JWT_ISSUER", "SHAPEGATE_JWT_AUDIENCE", "SHAPEGATE_SUBJECT_CLAIM", "SHAPEGATE_SUBJECT_TYPE",
	}
	readsKeys  = []string{"SHAPEGATE_GATEKEEPER_KEY_FILE"}
	readsRedis = []string{"REDIS_URL", "REDIS_CA_FILE", "REDIS_CERT_FILE", "REDIS_KEY_FILE"}
)

// reads are the settings that each command reads, by the command's path below shapegate.
// Its help has the flags of these and no others. serve reads all.
var reads = map[string][]string{
	"check-config":        slices.Concat(readsShapes, readsElectric, readsSpiceDB, readsRedis, readsKeys, readsTokens),
	"schema read":         readsSpiceDB,
	"schema write":        readsSpiceDB,
	"relationship touch":  readsSpiceDB,
	"relationship delete": readsSpiceDB,
	"relationship read":   readsSpiceDB,
	"check":               readsSpiceDB,
	"init":                slices.Concat(readsShapes, readsElectric, readsSpiceDB),
	"json-schema":         {},
	"secrets":             {},
	"explain":             slices.Concat(readsShapes, readsElectric, readsSpiceDB),
	"shapes":              slices.Concat(readsShapes, readsSpiceDB),
	"token":               readsTokens,
	"ready":               {"SHAPEGATE_ADMIN_LISTEN"},
	"version":             {},
}

const readsAll = "serve"

// helpOfSettings keeps the flags of settings that a command does not read out of its help.
// They can be given all the same.
func helpOfSettings(root *cobra.Command) {
	settings, print := root.PersistentFlags(), root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		shown := make(map[string]bool)
		for _, name := range reads[path] {
			shown[variable{name: name}.flag()] = true
		}
		settings.VisitAll(func(f *pflag.Flag) { f.Hidden = path != readsAll && !shown[f.Name] })
		cmd.InheritedFlags().SortFlags = false // the order of the table of settings
		print(cmd, args)
	})
}
