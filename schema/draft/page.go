package draft

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/shapegate/shapegate/schema"
)

const heading = `# yaml-language-server: $schema=shapes.schema.json
#
# Shape definitions: what may be synced, and under which permissions. Each is served at
# /v1/shapes/<name>. "shapegate init" wrote this from the names of tables, definitions
# and permissions: read it before you serve it.
#
# Below, a # in the first column holds back a line of a shape that somebody has to decide
# on. To have the shape, put something in the place of CHOOSE_ONE, and delete the # before
# each of its lines. Any other # begins a remark.
#
# "shapegate check-config" checks this file. "shapegate json-schema" prints the file that
# the first line names, with which editors complete and check it.

shapes:
`

// width is where lines are broken.
const width = 90

// page is the text of a file of shape definitions, as it grows.
type page struct{ strings.Builder }

func (p *page) add(text string) { p.WriteString(text) }

// remark writes a paragraph as comments.
func (p *page) remark(indent, text string) {
	for _, line := range wrap(oneLine(text), width-len(indent)-2) {
		fmt.Fprintf(p, "%s# %s\n", indent, line)
	}
}

// shape writes a proposal, commented out unless it is decided.
func (p *page) shape(s *proposal) {
	if p.Len() > len(heading) {
		p.add("\n")
	}
	if s.absent {
		p.remark("  ", fmt.Sprintf("No shape for %s: %s.", s.table, s.open))
		return
	}
	if s.open != "" && s.scope == nil {
		p.remark("  ", fmt.Sprintf("To decide for %s: %s.", s.table, s.open))
	}
	for _, remark := range s.remarks {
		p.remark("  ", remark)
	}
	mark := ""
	if s.open != "" {
		mark = "#"
	}
	for line := range strings.Lines(s.yaml()) {
		p.add(mark + "  " + line)
	}
	p.context(s.context)
}

// context writes what would give values to the parameters of caveats.
func (p *page) context(parameters []string) {
	if len(parameters) == 0 {
		return
	}
	p.remark("      ", "The permission may come to a caveat, and is denied where its parameters have no values. "+
		"Those that the relationships do not give come from here, such as from the claims of a token:")
	p.add("#      context:\n")
	for _, name := range slices.Sorted(slices.Values(parameters)) {
		fmt.Fprintf(p, "#        %s: claims.%s\n", scalar(name), name)
	}
}

// unused names the definitions that no shape is of.
func (p *page) unused(definitions []string) {
	if len(definitions) == 0 {
		return
	}
	p.add("\n")
	p.remark("  ", "No table is named like these definitions: "+strings.Join(definitions, ", ")+". "+
		`A permission on one object can be the gate of any shape, without which it is answered 403: gate: {resource: "type:id", permission: …} below authorize.`)
}

// yaml is the shape's definition, from its name on.
func (s *proposal) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n  table: %s\n", scalar(s.name), scalar(tableText(s.table)))
	b.WriteString(columnList(s.columns))
	if s.scope != nil {
		fmt.Fprintf(&b, "  params: {%s: {}}\n", s.scope.param)
		fmt.Fprintf(&b, "  where: %s\n", quoted(schema.QuoteIdentifier(s.scope.column)+" = $"+s.scope.param))
		fmt.Fprintf(&b, "  authorize:\n    gate: {resource: %s, permission: %s}\n", quoted(s.scope.definition+":$"+s.scope.param), scalar(s.scope.permission))
		return b.String()
	}
	b.WriteString("  authorize:\n    filter:\n")
	for _, f := range s.filters {
		fmt.Fprintf(&b, "      - {resource: %s, permission: %s, column: %s}\n", scalar(f.Resource), scalar(f.Permission), scalar(f.Column))
	}
	return b.String()
}

// columnList writes columns as a list on as many lines as it needs.
func columnList(columns []string) string {
	scalars := make([]string, len(columns))
	for i, name := range columns {
		scalars[i] = scalar(name)
	}
	var b strings.Builder
	line := "  columns: ["
	for i, name := range scalars {
		if i < len(scalars)-1 {
			name += ","
		} else {
			name += "]"
		}
		switch {
		case strings.HasSuffix(line, "[") || strings.TrimSpace(line) == "":
			line += name
		case len(line)+1+len(name) > width:
			b.WriteString(line + "\n")
			line = "    " + name
		default:
			line += " " + name
		}
	}
	return b.String() + line + "\n"
}

// tableText is a table as shapes.yaml names it: without its schema if that is public.
func tableText(t schema.Table) string {
	if t.Schema == "public" {
		return schema.QuoteIdentifier(t.Name)
	}
	return t.String()
}

// plainScalar is text that YAML reads as a string without quotes, but for yamlWords.
var plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.$/-]*$`)

// yamlWords are words that some reader of YAML takes for something else than a string.
var yamlWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// scalar writes a string in YAML, with quotes if it needs them.
func scalar(text string) string {
	if plainScalar.MatchString(text) && !slices.Contains(yamlWords, strings.ToLower(text)) {
		return text
	}
	return quoted(text)
}

// quoted writes a string in double quotes, in which YAML reads JSON, or in single quotes
// if it has double quotes itself and nothing that must be escaped.
func quoted(text string) string {
	if strings.Contains(text, `"`) && !strings.Contains(text, `'`) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "'" + text + "'"
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string can be encoded, and a builder takes all
	return strings.TrimSuffix(b.String(), "\n")
}

// oneLine replaces what would end a comment: a name may have any character.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, text)
}

// wrap breaks a text into lines of at most so many bytes, if its words allow it.
func wrap(text string, most int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > most:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
