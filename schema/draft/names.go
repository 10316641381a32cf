package draft

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/shapegate/shapegate/schema"
)

// snake returns a name in snake case: lower-case letters, digits and single underscores.
func snake(name string) string {
	var b strings.Builder
	previous := '_'
	for _, r := range name {
		switch {
		case unicode.IsUpper(r):
			if unicode.IsLower(previous) || unicode.IsDigit(previous) {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsLower(r), unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
		previous = r
	}
	return strings.Join(strings.FieldsFunc(b.String(), func(r rune) bool { return r == '_' }), "_")
}

// baseName returns a definition's name without its prefix: document of tenant/document.
func baseName(definition string) string {
	return definition[strings.LastIndexByte(definition, '/')+1:]
}

// irregular are plurals that no rule of singulars makes.
var irregular = map[string]string{"people": "person", "children": "child"}

// singulars returns what a name in snake case may be the plural of.
func singulars(name string) []string {
	var all []string
	if base, ok := strings.CutSuffix(name, "ies"); ok {
		all = append(all, base+"y")
	}
	if base, ok := strings.CutSuffix(name, "es"); ok {
		all = append(all, base)
	}
	if base, ok := strings.CutSuffix(name, "s"); ok && !strings.HasSuffix(base, "s") {
		all = append(all, base)
	}
	for plural, singular := range irregular {
		if base, ok := strings.CutSuffix(name, plural); ok {
			all = append(all, base+singular)
		}
	}
	return all
}

// namesake returns the definitions that a table is named like, the same name before
// another number: most often one or none.
func namesake(table string, definitions []schema.Definition) []*schema.Definition {
	var same, alike []*schema.Definition
	table = snake(table)
	for i := range definitions {
		d := &definitions[i]
		switch name := baseName(d.Name); {
		case name == table:
			same = append(same, d)
		case slices.Contains(singulars(table), name), slices.Contains(singulars(name), table):
			alike = append(alike, d)
		}
	}
	if len(same) > 0 {
		return same
	}
	return alike
}

// secretWords are words in the names of columns that clients should not get unasked.
var secretWords = []string{
	"pwd", "hash", "digest", "salt", "otp", "totp", "credential", "credentials", "ssn",
}

// secretEnds are what such a word ends in, as in accesstoken, and secretParts what stands in
// such a name anywhere, without its underscores.
var (
	secretEnds  = []string{"token", "tokens", "secret", "secrets"}
	secretParts = []string{
		"password", "passwd", "passphrase", "apikey", "privatekey", "secretkey", "accesskey", "signingkey", "encryptionkey", "recoverycode", "backupcode",
	}
)

// isSecret reports whether a column is named like a secret. A number behind a word is no
// part of it.
func isSecret(column string) bool {
	words := strings.Split(snake(column), "_")
	name := strings.Join(words, "")
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(name, part) }) ||
		slices.ContainsFunc(words, func(word string) bool {
			word = strings.TrimRight(word, "0123456789")
			return slices.Contains(secretWords, word) ||
				slices.ContainsFunc(secretEnds, func(end string) bool { return strings.HasSuffix(word, end) })
		})
}

// longestShapeName is what a shape's name may have at most.
const longestShapeName = 63

// names gives each shape a name of its own.
type names struct {
	taken  map[string]bool
	tables map[string]int // how many tables make one name
}

func newNames(tables []Table) *names {
	n := &names{taken: map[string]bool{}, tables: map[string]int{}}
	for i := range tables {
		n.tables[snake(tables[i].Name)]++
	}
	return n
}

// of returns the name for the shape of a table: the table's, with its schema before it if
// another table has the same.
func (n *names) of(table schema.Table) string {
	name := snake(table.Name)
	if n.tables[name] > 1 {
		name = snake(table.Schema + "_" + table.Name)
	}
	return n.take(name)
}

// take returns name, or one like it, as the name of a shape, once.
func (n *names) take(name string) string {
	ascii := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return -1
		}
		return r
	}, name)
	if ascii = strings.Trim(ascii, "_"); ascii == "" || ascii[0] < 'a' {
		ascii = strings.TrimSuffix("table_"+ascii, "_")
	}
	free := cut(ascii, longestShapeName)
	for i := 2; n.taken[free]; i++ {
		suffix := fmt.Sprintf("_%d", i)
		free = cut(ascii, longestShapeName-len(suffix)) + suffix
	}
	n.taken[free] = true
	return free
}

func cut(name string, most int) string { return name[:min(len(name), most)] }
