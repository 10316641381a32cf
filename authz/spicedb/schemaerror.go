package spicedb

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/status"
)

// ExplainSchema says why SpiceDB refuses the text of a schema, in the form file:line: what
// is wrong, which editors follow. An error that is not about the schema it says as Explain.
func ExplainSchema(err error, file, text string) string {
	message := status.Convert(unwrapped(err)).Message()
	if m := parseError.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s:%s:%s: %s", file, m[1], m[2], withoutTokenTypes(m[3]))
	}
	if line := lineOfName(message, text); answered(unwrapped(err)) && line > 0 {
		return fmt.Sprintf("%s:%d: %s", file, line, message)
	}
	if answered(unwrapped(err)) {
		return file + ": " + message
	}
	return Explain(err)
}

var (
	parseError = regexp.MustCompile(`(?s)^parse error in .*, line (\d+), column (\d+): (.*)$`)
	tokenType  = regexp.MustCompile(`TokenType(\w+)`)
	quoted     = regexp.MustCompile("`([^`]+)`")
)

// tokens are SpiceDB's names of what a schema is made of.
var tokens = map[string]string{
	"Colon": `":"`, "Hash": `"#"`, "Equals": `"="`, "Plus": `"+"`, "Minus": `"-"`, "And": `"&"`, "Pipe": `"|"`, "RightArrow": `"->"`,
	"LeftBrace": `"{"`, "RightBrace": `"}"`, "LeftParen": `"("`, "RightParen": `")"`, "Comma": `","`, "Period": `"."`, "Div": `"/"`, "Star": `"*"`,
	"Identifier": "a name", "Keyword": "a keyword", "EOF": "the end of the file", "SyntheticSemicolon": "the end of the line",
}

func withoutTokenTypes(message string) string {
	message = tokenType.ReplaceAllStringFunc(message, func(name string) string {
		name = strings.TrimPrefix(name, "TokenType")
		if text, ok := tokens[name]; ok {
			return text
		}
		return strings.ToLower(name)
	})
	return strings.NewReplacer("Expected one of: [", "expected is ", "], found: ", ", and there is ").Replace(message)
}

// lineOfName finds the line, from 1, that has the name which a message is about: the first
// in backquotes, below the definition that the message names. It is 0 if there is none.
func lineOfName(message, text string) int {
	names := quoted.FindAllStringSubmatch(message, -1)
	if len(names) == 0 {
		return 0
	}
	lines := strings.Split(text, "\n")
	start := 0
	if _, definition, ok := strings.Cut(message, "under definition `"); ok {
		definition, _, _ = strings.Cut(definition, "`")
		word := regexp.MustCompile(`^\s*definition\s+` + regexp.QuoteMeta(definition) + `\b`)
		start = max(0, slices.IndexFunc(lines, word.MatchString))
	}
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(names[0][1]) + `\b`)
	for i, line := range lines[start:] {
		if word.MatchString(line) {
			return start + i + 1
		}
	}
	return 0
}
