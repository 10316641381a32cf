package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// rules are a JSON Schema (draft 7, which all editors know), or a part of one.
//
// They are never stricter than the parser. Where structure cannot tell, they are less
// strict: that a param is used, that a where is SQL, that no key stands twice.
type rules map[string]any

// JSONSchema returns a JSON Schema of shapes.yaml, with which editors complete and check
// it. shapes.schema.json beside this file is a copy.
func JSONSchema() []byte {
	root := fileKeys.rules(rules{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "shapes.yaml of shapegate",
		"description": "What may be synced, and under which permissions.",
	})
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(root); err != nil {
		panic(fmt.Sprintf("schema: rules that are no JSON: %v", err)) // they are constants
	}
	return text.Bytes()
}

// rules returns the rules of a mapping with these keys and no others, and further ones.
func (k keys) rules(further rules) rules {
	properties := rules{}
	required := []string{}
	for _, key := range k {
		value := maps.Clone(key.value)
		value["description"] = key.meaning
		properties[key.name] = value
		if key.required {
			required = append(required, key.name)
		}
	}
	all := rules{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		all["required"] = required
	}
	maps.Copy(all, further)
	return all
}

// namedRules are the rules of a mapping whose names the file chooses.
func namedRules(name, value rules) rules {
	return rules{"type": "object", "propertyNames": name, "additionalProperties": value}
}

func (r rules) nonEmpty() rules {
	r["minProperties"] = 1
	return r
}

func listOf(item rules) rules { return rules{"type": "array", "minItems": 1, "items": item} }

func oneOf(words []string) rules {
	return rules{"type": "string", "enum": words, "default": words[0]}
}

func matching(name *regexp.Regexp) rules { return matchingText(name.String()) }

func matchingText(pattern string) rules { return rules{"type": "string", "pattern": pattern} }

// inner returns a pattern without what ties it to the ends of a text.
func inner(pattern *regexp.Regexp) string {
	return strings.TrimSuffix(strings.TrimPrefix(pattern.String(), "^"), "$")
}

// Patterns of what the parser reads by hand. They are of the syntax that Go and
// ECMAScript share.
var (
	// identifierPattern counts characters, where the parser counts bytes.
	identifierPattern = fmt.Sprintf(`^[^\x00-\x1f\x7f-\x9f]{1,%d}$`, maxIdentifier)
	sqlIdentifier     = `(` + inner(plainIdentifier) + `|"([^"\x00-\x1f\x7f-\x9f]|"")+")`
	tablePattern      = `^` + sqlIdentifier + `(\.` + sqlIdentifier + `)?$`
	resourcePattern   = `^` + inner(definitionName) + `:(\$` + inner(paramName) + `|` + inner(objectID) + `)$`
)

var (
	columnRules = func() rules {
		columns := listOf(matchingText(identifierPattern))
		columns["uniqueItems"] = true
		return columns
	}()

	permissionRules = func() rules {
		permissions := listOf(matching(relationName))
		permissions["uniqueItems"] = true
		permissions["maxItems"] = MostPermissions
		return permissions
	}()

	paramRules = namedRules(
		rules{"pattern": paramName.String(), "not": rules{"anyOf": []rules{{"enum": protocolParams}, {"pattern": "^" + subsetPrefix}}}},
		rules{"type": "object", "maxProperties": 0},
	)

	contextRules = rules{"anyOf": []rules{
		{"type": "string", "enum": []string{"request.ip", "request.time"}},
		{"type": "string", "pattern": `^claims(\.[^. \t\n\r]+)+$`},
		constantKeys.rules(nil),
	}}

	gateOrFilter = rules{
		"anyOf":        []rules{{"required": []string{"gate"}}, {"required": []string{"filter"}}},
		"dependencies": rules{"unrestricted": []string{"filter"}},
	}

	storedNeedsAGateAlone = rules{
		"if":   rules{"required": []string{"first_read"}, "properties": rules{"first_read": rules{"const": "stored"}}},
		"then": rules{"properties": rules{"authorize": rules{"properties": rules{"filter": false, "unrestricted": false}}}},
	}
)
