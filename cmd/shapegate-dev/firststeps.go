package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/schema"
)

// mostRead is how many shapes the first steps read.
const mostRead = 5

// firstSteps prints commands to paste for a world of the user's own.
func (g guide) firstSteps() {
	person := g.everybody()[0].Subject
	fmt.Fprintf(g.out, "\n# What %s may see.\n", person)
	for _, shape := range g.shapes.Shapes[:min(len(g.shapes.Shapes), mostRead)] {
		fmt.Fprint(g.out, g.assignments(&shape), g.read(g.address(&shape)+"offset=-1", shellName(person)), "\n")
	}
	first := g.address(&g.shapes.Shapes[0])
	if relationship := g.relationshipOf(person); relationship != "" {
		fmt.Fprintf(g.out, "\n# Take a relationship away, look, and write it again.\n"+
			"curl -s -X DELETE -d %[1]s %[2]s/relationships\n%[3]s\ncurl -s -d %[1]s %[2]s/relationships\n",
			quote(relationship), g.controls(), g.read(first+"offset=-1", shellName(person)))
	} else {
		fmt.Fprintf(g.out, "\n# There are no relationships yet. One is written by\n#   curl -s -d 'type:id#relation@user:%s' %s/relationships\n", person, g.controls())
	}
	fmt.Fprintf(g.out, "\n# What a client remembers of its last answer.\n%s\n", g.remember(first, shellName(person)))
	g.streamAndSession(first, shellName(person))
	if g.table != nil {
		fmt.Fprintf(g.out, "\n# Look at the stand-in's rows; INSERT, UPDATE and DELETE change them.\ncurl -s -d %s %s/sql\n",
			quote("SELECT * FROM "+g.shapes.Shapes[0].Table.String()+" LIMIT 5"), g.controls())
	}
}

// streamAndSession prints what has a beginning and an end: an event stream from where AT
// says, a session, and a token for one shape.
func (g guide) streamAndSession(address, person string) {
	fmt.Fprintf(g.out, `
# What has changed since, as an event stream, for three seconds.
%[1]s || true

# A session: a token that can be taken back. Use it, and end it.
SESSION=$(%[2]s -X POST -H "Authorization: Bearer $%[3]s" %[4]s/v1/session | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
%[2]s -H "Authorization: Bearer $SESSION" %[4]s/v1/session
%[5]s
%[2]s -X DELETE -H "Authorization: Bearer $SESSION" %[4]s/v1/session

# A token that reads one shape and nothing else, as Electric's ShapeStream takes it. Use it.
%[2]s -X POST -H "Authorization: Bearer $%[3]s" "%[6]s"
ONE=$(%[2]s -X POST -H "Authorization: Bearer $%[3]s" "%[6]s" | sed -n 's/.*"Bearer \([^"]*\)".*/\1/p')
%[7]s
`, strings.Replace(g.read(address+"live=true&live_sse=true&$AT", person), "curl -s", "curl -s -N --max-time 3", 1),
		g.curl(), person, g.url(), g.read(address+"offset=-1", "SESSION"),
		strings.TrimRight(strings.Replace(address, "/v1/shapes/", "/v1/gatekeeper/", 1), "?&"), g.read(address+"offset=-1", "ONE"))
}

// remember is a line that sets AT to the handle and the offset of an answer.
func (g guide) remember(address, person string) string {
	return "AT=$(" + strings.Replace(g.read(address+"offset=-1", person), " -H", " -o /dev/null -D - -H", 1) +
		` | tr -d '\r' | sed -n -e 's/^[Ee]lectric-[Hh]andle: /handle=/p' -e 's/^[Ee]lectric-[Oo]ffset: /offset=/p' | paste -s -d '&' -)`
}

// read is a command that reads an address as the person whose token a variable has.
func (g guide) read(address, person string) string {
	return fmt.Sprintf(`%s -H "Authorization: Bearer $%s" "%s"`, g.curl(), person, address)
}

// address begins the URL of a shape's log, with values of its params.
func (g guide) address(shape *schema.Shape) string {
	text := g.url() + "/v1/shapes/" + shape.Name + "?"
	for _, name := range shape.Params {
		value := "$" + strings.ToUpper(name)
		if known := g.paramValue(shape, name); known != "" {
			value = url.QueryEscape(known)
		}
		text += name + "=" + value + "&"
	}
	return text
}

// assignments are lines for the params of which no value is known.
func (g guide) assignments(shape *schema.Shape) (lines string) {
	for _, name := range shape.Params {
		if g.paramValue(shape, name) == "" {
			lines += fmt.Sprintf("%s=put-a-value-here # of the param %s of %s\n", strings.ToUpper(name), name, shape.Name)
		}
	}
	return lines
}

// paramValue returns a value that a param may have: the id of an object of the gate's type
// that the relationships name, or one that the stand-in has in the column which the where
// compares with it. It is empty if there is none.
func (g guide) paramValue(shape *schema.Shape, name string) string {
	for _, r := range []*schema.Requirement{shape.Authorize.Gate, shape.Authorize.Unrestricted} {
		if r == nil || r.Resource.Param != name {
			continue
		}
		if id := g.objectOf(r.Resource.Type); id != "" {
			return id
		}
	}
	if shape.Where == nil || g.table == nil {
		return ""
	}
	column := shape.Where.ComparedTo(name)
	if column == "" {
		return ""
	}
	_, rows, err := g.table.Query(`SELECT "` + strings.ReplaceAll(column, `"`, `""`) + `" FROM ` + shape.Table.String() + " LIMIT 1")
	if err != nil || len(rows) == 0 || rows[0][0] == nil {
		return ""
	}
	return *rows[0][0]
}

// objectOf returns an object of a type that the relationships name: if there is one, with
// the first of the people.
func (g guide) objectOf(typ string) (id string) {
	person := g.everybody()[0].Subject
	for _, line := range g.written {
		switch {
		case line.Resource.Type != typ:
		case line.Subject.ID == person:
			return line.Resource.ID
		case id == "":
			id = line.Resource.ID
		}
	}
	return id
}

// relationshipOf returns a relationship that names a person, or else the first; "" if there
// are none.
func (g guide) relationshipOf(person string) string {
	if len(g.written) == 0 {
		return ""
	}
	i := slices.IndexFunc(g.written, func(l spicedb.Line) bool { return l.Subject.ID == person })
	return g.written[max(i, 0)].String()
}

// quote makes one word of the shell of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
