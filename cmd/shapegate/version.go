package main

import (
	"cmp"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
		Run: func(cmd *cobra.Command, _ []string) {
			cmd.Println(version(debug.ReadBuildInfo()))
		},
	}
}

// version returns what Go recorded at build time: the module's version, the
// commit if it was built from a checkout, and the compiler.
func version(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "shapegate, of unknown version"
	}
	text := "shapegate " + cmp.Or(info.Main.Version, "(devel)")
	recorded := map[string]string{}
	for _, setting := range info.Settings {
		recorded[setting.Key] = setting.Value
	}
	if revision := recorded["vcs.revision"]; revision != "" {
		text += ", commit " + revision
		if recorded["vcs.modified"] == "true" {
			text += " with changes"
		}
	}
	return text + ", " + info.GoVersion
}
