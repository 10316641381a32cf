package spicedb

import (
	"regexp"
	"strings"

	"github.com/shapegate/shapegate/authz"
)

// mayExpire reports whether any of the relations may hold relationships that
// expire, as far as the text of the schema says. SpiceDB says it nowhere else,
// and may give the text as it was written. A relation that is not found in the
// text, in the definition that it is of, may have come there in a way that is
// not known here: it may expire.
func mayExpire(schema string, relations map[authz.Relation]bool) bool {
	if !strings.Contains(schema, expirationTrait) {
		return false
	}
	expiring := readExpiring(schema)
	for r := range relations {
		if expires, found := expiring[r]; expires || !found {
			return true
		}
	}
	return false
}

const expirationTrait = "expiration"

// schemaToken is a comment, a string of a caveat, a name or keyword, or any other
// character.
var schemaToken = regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\w+(?:/\w+)*|\S`)

// readExpiring says of each relation in the text of a schema whether it may hold
// relationships that expire.
func readExpiring(schema string) map[authz.Relation]bool {
	expiring := make(map[authz.Relation]bool)
	var keyword string    // that was just before
	var at authz.Relation // where the text is, its parts empty outside of any
	for _, token := range schemaToken.FindAllString(schema, -1) {
		if strings.HasPrefix(token, "//") || strings.HasPrefix(token, "/*") {
			continue
		}
		before := keyword
		keyword = ""
		switch {
		case before == "definition":
			at = authz.Relation{Definition: token}
		case before == "relation":
			at.Name = token
			if !expiring[at] {
				expiring[at] = false // found
			}
		case token == "definition", token == "relation":
			keyword = token
			at.Name = ""
		case token == "permission":
			at.Name = ""
		case token == "}", token == "caveat", token == "partial", token == "use":
			at = authz.Relation{}
		case token == expirationTrait && at.Name != "":
			expiring[at] = true
		}
	}
	return expiring
}
