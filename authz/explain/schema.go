package explain

import (
	"regexp"
	"strings"

	"github.com/shapegate/shapegate/authz"
)

// Schema has the expressions of the permissions of a schema, as SpiceDB prints them. A
// relation has none.
type Schema map[authz.Relation]string

// schemaToken is a comment, a string of a caveat, a name or keyword, an arrow, or any other
// character; and the end of a line, which ends a permission.
var schemaToken = regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\w+(?:/\w+)*|->|\n|\S`)

// ReadSchema reads the expressions of the permissions from the text of a schema that
// SpiceDB has accepted.
func ReadSchema(text string) Schema {
	schema := make(Schema)
	var at authz.Relation // the definition, and the permission, that the text is in
	var words []string    // of the permission's expression; nil: not in one
	var before string
	for _, token := range schemaToken.FindAllString(text, -1) {
		switch {
		case strings.HasPrefix(token, "//"), strings.HasPrefix(token, "/*"):
			continue
		case before == "definition":
			at = authz.Relation{Definition: token}
		case before == "permission":
			at.Name = token
		case token == "=" && at.Name != "" && words == nil:
			words = []string{}
		case words != nil && ends(token, words):
			schema[at] = spell(words)
			at.Name, words = "", nil
		case words != nil && token != "\n":
			words = append(words, token)
		}
		before = token
	}
	return schema
}

// ends reports whether a token is the first after an expression.
func ends(token string, words []string) bool {
	switch token {
	case "}", ";", "permission", "relation":
		return true
	case "\n":
		return len(words) > 0 && !strings.Contains("+-&->.(:", words[len(words)-1]) && depth(words) == 0
	}
	return false
}

func depth(words []string) (n int) {
	for _, w := range words {
		switch w {
		case "(":
			n++
		case ")":
			n--
		}
	}
	return n
}

// untidy are the blanks that nobody writes, beside the words that they stand at.
var untidy = regexp.MustCompile(` (->|\.) |(\() | (\))`)

// spell puts words together as they are written.
func spell(words []string) string {
	text := untidy.ReplaceAllString(strings.Join(words, " "), "$1$2$3")
	return strings.NewReplacer(".any (", ".any(", ".all (", ".all(").Replace(text)
}

// resolve follows a permission that is another name for a relation or a permission of its
// definition: SpiceDB looks at what it stands for.
func (s Schema) resolve(definition, name string) string {
	for range len(s) + 1 {
		text, ok := s[authz.Relation{Definition: definition, Name: name}]
		if !ok {
			break
		}
		e, ok := parseExpression(text)
		if !ok || e.operator != operatorLeaf || e.isArrow() {
			break
		}
		name = e.name
	}
	return name
}
