package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

func newSecretsCommand() *cobra.Command {
	var example string
	cmd := &cobra.Command{
		Use:   "secrets [FILE]",
		Short: "Write the secrets of docker-compose.yml to .env",
		Long: `Write a file of settings with a random secret for each line of the example that is
empty. A file that is there is never overwritten: it keeps every line, and gets the
secrets that it lacks at its end. FILE is .env, and the example FILE.example, unless
they are named.`,
		Example: `  shapegate secrets
  docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/w" -w /w shapegate:local secrets`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := ".env"
			if len(args) > 0 {
				file = args[0]
			}
			if example == "" {
				example = file + ".example"
			}
			made, isNew, err := writeSecrets(file, example)
			if err != nil {
				return &exitError{exitNoAnswer, err}
			}
			cmd.Println(reportSecrets(file, made, isNew))
			return nil
		},
	}
	cmd.Flags().StringVar(&example, "example", "", "file that lists the settings (FILE.example)")
	return cmd
}

// reportSecrets says what writeSecrets has done.
func reportSecrets(file string, made []string, isNew bool) string {
	names := strings.Join(made, ", ")
	switch {
	case isNew:
		return fmt.Sprintf("wrote %s, which only you can read, with new secrets: %s\n"+
			"Keep it as long as the volumes: Postgres keeps the password that it was made with. If there are volumes\n"+
			"from a %s that is lost, docker compose down --volumes deletes them, with all data.", file, names, file)
	case len(made) > 0:
		return fmt.Sprintf("added to %s what it lacked: %s", file, names)
	}
	return file + " has every secret; nothing was changed"
}

// writeSecrets makes the secrets that a file lacks, and returns their names. Of a file that
// is there nothing is replaced: lines are added at its end, all of them at once.
func writeSecrets(file, example string) (made []string, isNew bool, err error) {
	template, err := os.ReadFile(example) //nolint:gosec // the user names it
	if err != nil {
		return nil, false, fmt.Errorf("the list of settings: %w; run it in the folder of docker-compose.yml, or name the list with --example", err)
	}
	names := emptyIn(string(template))
	if len(names) == 0 {
		return nil, false, fmt.Errorf("%s has no line of the form NAME= to make a secret for", example)
	}
	// O_EXCL: of two that start at once one makes the file.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names it
	if err == nil {
		return names, true, writeAndClose(f, filled(string(template), newSecret))
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, false, err
	}
	present, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, false, err
	}
	text, made := lacking(names, string(present), newSecret)
	if len(made) == 0 {
		return nil, false, nil
	}
	if f, err = os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0); err != nil { //nolint:gosec // the user names it
		return nil, false, err
	}
	return made, false, writeAndClose(f, text)
}

func writeAndClose(f *os.File, text string) error {
	_, err := f.WriteString(text)
	return errors.Join(err, f.Close())
}

// setting matches a line of a file of settings as Docker reads it: its name, and what its
// value begins with, unless it is empty.
var setting = regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*[=:][ \t]*((?:"[^"\n]|'[^'\n]|[^"'#\s])?)`)

// emptyIn are the names of the settings without a value.
func emptyIn(text string) (names []string) {
	for _, m := range setting.FindAllStringSubmatch(text, -1) {
		if m[2] == "" {
			names = append(names, m[1])
		}
	}
	return names
}

// valueStart is where the value begins among the indexes of a match of setting.
const valueStart = 2 * 2

// remarkOf is what is kept behind a new value: a remark. Empty quotes are not.
func remarkOf(rest string) string {
	rest = strings.Trim(rest, " \t\r\n\"'")
	if !strings.HasPrefix(rest, "#") {
		return ""
	}
	return " " + rest
}

// filled is the text with a secret for each setting without a value.
func filled(text string, secret func() string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if m := setting.FindStringSubmatchIndex(line); m != nil && m[valueStart] == m[valueStart+1] {
			name, rest := strings.TrimRight(line[:m[valueStart]], " \t"), line[m[valueStart]:]
			line = name + secret() + remarkOf(rest) + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// lacking returns the lines to add to a file, so that it has a secret for each of the names,
// and the names that it lacked. The last line of a name counts.
func lacking(names []string, present string, secret func() string) (text string, made []string) {
	has := map[string]bool{}
	for _, m := range setting.FindAllStringSubmatch(present, -1) {
		has[m[1]] = m[2] != ""
	}
	if present != "" && !strings.HasSuffix(present, "\n") {
		text = "\n"
	}
	for _, name := range names {
		if !has[name] {
			text += name + "=" + secret() + "\n"
			made = append(made, name)
		}
	}
	return text, made
}

// secretBytes is how many random bytes a secret has.
const secretBytes = 32

// newSecret returns a secret of letters and digits: passwords stand in URLs.
func newSecret() string {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}
