package schema

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxIdentifier is the length in bytes that Postgres cuts identifiers to
// (NAMEDATALEN - 1): a longer one names nothing.
const maxIdentifier = 63

// plainIdentifier needs no quotes in Postgres and is not changed by folding.
var plainIdentifier = regexp.MustCompile(`^[a-z_][a-z0-9_$]*$`)

// checkIdentifier reports whether a table or a column can have this name, which
// is taken as it stands in the catalog.
func checkIdentifier(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > maxIdentifier:
		return fmt.Errorf("the name is longer than the %d bytes that Postgres keeps", maxIdentifier)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("the name has characters that an identifier cannot have")
	}
	return nil
}

// ParseTable reads the name of a table as it is written in SQL: documents,
// app.documents, app."Rec Caps". The schema is public where none is named.
//
// Postgres folds unquoted capitals, which surprises; here they have to be
// quoted.
func ParseTable(text string) (Table, error) {
	var parts []string
	for rest := text; ; {
		part, tail, err := cutIdentifier(rest)
		if err != nil {
			return Table{}, err
		}
		parts = append(parts, part)
		if tail == "" {
			break
		}
		if tail[0] != '.' {
			return Table{}, fmt.Errorf("%q follows a quoted name, where a dot or the end should", tail)
		}
		rest = tail[1:]
	}
	switch len(parts) {
	case 1:
		return Table{Schema: "public", Name: parts[0]}, nil
	case 2:
		return Table{Schema: parts[0], Name: parts[1]}, nil
	}
	return Table{}, errors.New("a table is named by itself or by its schema and itself, no more")
}

// cutIdentifier reads one identifier from the start of text.
func cutIdentifier(text string) (name, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		name, _, _ = strings.Cut(text, ".")
		switch {
		case name == "":
			return "", "", errors.New("the name is empty")
		case !plainIdentifier.MatchString(name):
			return "", "", fmt.Errorf(`%s must be quoted, as in '"%s"': unquoted names have small letters, digits and _ only, since Postgres folds others`, name, name)
		}
		return name, text[len(name):], checkIdentifier(name)
	}
	var quoted strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			quoted.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			quoted.WriteByte('"')
			i++
			continue
		}
		return quoted.String(), text[i+1:], checkIdentifier(quoted.String())
	}
	return "", "", errors.New("a quoted name has no closing quote")
}
