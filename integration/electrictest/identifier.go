package electrictest

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// relation names a table as the catalog has it.
type relation struct{ schema, name string }

func (r relation) String() string { return quoteIdentifier(r.schema) + "." + quoteIdentifier(r.name) }

// logString is how the log begins the keys of a table: with every . and / of a name
// doubled, and its quotes as they are.
func (r relation) logString() string {
	double := strings.NewReplacer(".", "..", "/", "//")
	return `"` + double.Replace(r.schema) + `"."` + double.Replace(r.name) + `"`
}

// answerText is an error whose text goes into an answer as Electric words it,
// capitals included.
type answerText string

func (e answerText) Error() string { return string(e) }

func answerTextf(format string, args ...any) error { return answerText(fmt.Sprintf(format, args...)) }

func quoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

var unquotedIdentifier = regexp.MustCompile(`^[\pL_][\pL\pM_0-9$]*$`)

// maxIdentifier is Postgres' NAMEDATALEN less one; Electric refuses what Postgres
// would cut.
const maxIdentifier = 63

// parseRelation reads table or schema.table, each part quoted or not.
func parseRelation(s string) (relation, error) {
	parts := splitOutsideQuotes(s, '.')
	if len(parts) > 2 {
		return relation{}, answerTextf("Invalid relation identifier, too many delimiters: %s", s)
	}
	rel := relation{schema: "public"}
	var err error
	if len(parts) == 2 {
		if rel.schema, err = parseIdentifier(parts[0]); err != nil {
			return relation{}, err
		}
	}
	rel.name, err = parseIdentifier(parts[len(parts)-1])
	return rel, err
}

// parseColumnList reads a comma-separated list of identifiers.
func parseColumnList(s string) ([]string, error) {
	var names []string
	for _, part := range splitOutsideQuotes(s, ',') {
		name, err := parseIdentifier(part)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func splitOutsideQuotes(s string, sep byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// parseIdentifier folds or unquotes one name, by Postgres' rules.
func parseIdentifier(s string) (string, error) {
	var name string
	switch {
	case s == "" || s == `""`:
		return "", answerTextf("Invalid zero-length delimited identifier")
	case len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"':
		inner := s[1 : len(s)-1]
		if strings.Contains(strings.ReplaceAll(inner, `""`, ""), `"`) {
			return "", answerTextf("Invalid identifier with unescaped quote: %s", inner)
		}
		name = strings.ReplaceAll(inner, `""`, `"`)
	case !unquotedIdentifier.MatchString(s):
		return "", answerTextf("Invalid unquoted identifier contains special characters: %s", s)
	default:
		name = foldASCII(s)
	}
	if utf8.RuneCountInString(name) > maxIdentifier {
		return "", answerTextf("Identifier is too long (max length is %d)", maxIdentifier)
	}
	return name, nil
}

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
