package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shapegate/shapegate/schema"
)

// usage checks a command's arguments. The error says what the command wants.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		return wrongUsage(cmd, args)
	}
}

// wrongUsage says what a command wants, with the first of its examples.
func wrongUsage(cmd *cobra.Command, args []string) error {
	names, help := subcommands(cmd), "see "+cmd.CommandPath()+" --help"
	_, wanted, _ := strings.Cut(cmd.Use, " ")
	text := fmt.Sprintf("%s wants %s", cmd.Name(), wanted)
	switch {
	case len(names) > 0 && len(args) > 0:
		text = fmt.Sprintf("there is no command %q%s", args[0], cmp.Or(schema.DidYouMean(args[0], names), ": there are "+strings.Join(names, ", ")))
	case len(names) > 0:
		text = fmt.Sprintf("give one of the commands %s: %s", strings.Join(names, ", "), help)
	case wanted == "":
		text = fmt.Sprintf("%s takes no arguments, and there is %q: %s", cmd.Name(), args[0], help)
	}
	if example, _, _ := strings.Cut(cmd.Example, "\n"); example != "" {
		text += ", as in\n" + example
	}
	return &exitError{exitNoAnswer, errors.New(text)}
}

// subcommands returns the names of a command's commands.
func subcommands(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// needsSubcommand is the body of a command that has none.
func needsSubcommand(cmd *cobra.Command, args []string) error { return wrongUsage(cmd, args) }

// wrongFlag names the flag that was meant, if it can be guessed, and the help.
func wrongFlag(cmd *cobra.Command, err error) error {
	near := ": see"
	if unknown := new(pflag.NotExistError); errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if guess := schema.DidYouMean(unknown.GetSpecifiedName(), names); guess != "" {
			near = strings.Replace(strings.ReplaceAll(guess, `"`, ""), "mean ", "mean --", 1) + " See"
		}
	}
	return &exitError{exitNoAnswer, fmt.Errorf("%w%s %s --help", err, near, cmd.CommandPath())}
}
