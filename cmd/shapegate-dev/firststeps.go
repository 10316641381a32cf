package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// mostRead is how many shapes the first steps read, and how many collections of grants.
const mostRead = 5

// firstSteps prints commands to paste for a world of the user's own.
func (g guide) firstSteps() {
	person := g.everybody()[0].Subject
	fmt.Fprintf(g.out, "\n# What %s may see.\n", person)
	for _, shape := range g.shapes.Shapes[:min(len(g.shapes.Shapes), mostRead)] {
		fmt.Fprint(g.out, g.firstRead(g.ofShape(&shape), person))
	}
	if len(g.shapes.Grants) > 0 {
		fmt.Fprintf(g.out, "\n# What %s may do: a row for each object, to join with the rows of a shape in the page.\n", person)
	}
	for _, c := range g.shapes.Grants[:min(len(g.shapes.Grants), mostRead)] {
		fmt.Fprint(g.out, g.firstRead(g.ofGrants(&c), person))
	}
	first := g.ofShape(&g.shapes.Shapes[0]).address()
	if relationship := g.relationshipOf(person); relationship != "" {
		fmt.Fprintf(g.out, "\n# Take a relationship away, look, and write it again.\n"+
			"curl -s -X DELETE -d %[1]s %[2]s/relationships\n%[3]s\ncurl -s -d %[1]s %[2]s/relationships\n",
			quote(relationship), g.controls(), g.read(first+"offset=-1", shellName(person)))
	} else {
		fmt.Fprintf(g.out, "\n# There are no relationships yet. One is written by\n#   curl -s -d 'type:id#relation@user:%s' %s/relationships\n", person, g.controls())
	}
	fmt.Fprintf(g.out, "\n# Keep what a client remembers of its last answer: AT is a handle and an offset.\n%s\n", g.remember(first, shellName(person)))
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
# What has changed since AT was taken, as an event stream, for three seconds.
%[1]s || true

# A session: a token that can be taken back. Use it, and end it.
SESSION=$(%[2]s -X POST -H "Authorization: Bearer $%[3]s" %[4]s/v1/session | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
%[2]s -H "Authorization: Bearer $SESSION" %[4]s/v1/session; echo
%[5]s
%[2]s -X DELETE -H "Authorization: Bearer $SESSION" %[4]s/v1/session

# A token that reads one shape and nothing else, as Electric's ShapeStream takes it. Use it.
%[2]s -X POST -H "Authorization: Bearer $%[3]s" "%[6]s"; echo
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

// firstRead are the lines that read a log from its beginning.
func (g guide) firstRead(l readableLog, person string) string {
	return l.assignments() + g.read(l.address()+"offset=-1", shellName(person)) + "\n"
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
