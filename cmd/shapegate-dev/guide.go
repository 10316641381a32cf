package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/schema/demo"
)

// tokenLife is how long the printed tokens hold.
const tokenLife = 24 * time.Hour

// mostPeople is how many people of a file of relationships get a token.
const mostPeople = 10

// everybody returns who gets a token: the people asked for, or those whom the user's own
// relationships name, with the claims of those who are the demo's; or else the demo's.
func (w *world) everybody() []demo.Person {
	all, subjects := demo.People(), w.people
	if len(subjects) == 0 && w.files.relationships != "" {
		subjects = peopleOf(w.written)
	}
	if len(subjects) == 0 {
		return all
	}
	people := make([]demo.Person, len(subjects))
	for i, subject := range subjects {
		people[i].Subject = subject
		if k := slices.IndexFunc(all, func(p demo.Person) bool { return p.Subject == subject }); k >= 0 {
			people[i].Claims = all[k].Claims
		}
	}
	return people
}

// peopleOf returns the users that relationships name, in their order, and the first alone of
// many.
func peopleOf(lines []spicedb.Line) []string {
	var people []string
	for _, line := range lines {
		s := line.Subject
		if s.Type == identity.DefaultSubjectType && s.ID != "*" && line.SubjectRelation == "" && !slices.Contains(people, s.ID) {
			people = append(people, s.ID)
		}
	}
	return people[:min(len(people), mostPeople)]
}

// tokenOf signs a person's token.
func tokenOf(p demo.Person, secret []byte) (string, error) {
	claims := jwt.MapClaims{"sub": p.Subject, "exp": time.Now().Add(tokenLife).Unix()}
	for name, value := range p.Claims {
		claims[name] = value
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
}

// shellName makes a variable's name of a subject: ALICE of alice.
func shellName(subject string) string {
	name := strings.Map(func(r rune) rune {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return '_'
		}
		return r
	}, strings.ToUpper(subject))
	if name[0] < 'A' || name[0] > 'Z' {
		return "SUBJECT" + name
	}
	return name
}

// guide says what runs, and what to do with it.
type guide struct {
	*world
	out io.Writer
}

// print prints all of it. took is how long the start took.
func (g guide) print(took time.Duration) {
	fmt.Fprintf(g.out, "shapegate-dev is ready after %d ms.\n\n", took.Milliseconds())
	for _, p := range g.started {
		fmt.Fprintf(g.out, "  %-10s %s\n", p.name, p.what)
	}
	if !g.heartbeat {
		fmt.Fprintf(g.out, "\nhint: SpiceDB's schema has no heartbeat, so that a watch which falls silent is noticed late.\nAdd this to it:\n\n%s\n", spicedb.HeartbeatSchema)
	}
	fmt.Fprint(g.out, "\nShapes:")
	for _, s := range g.shapes.Shapes {
		fmt.Fprintf(g.out, " %s", s.Name)
	}
	if len(g.shapes.Grants) > 0 {
		fmt.Fprint(g.out, "\nGrants:")
	}
	for _, c := range g.shapes.Grants {
		fmt.Fprintf(g.out, " %s", c.Name)
	}
	fmt.Fprintf(g.out, "\n\nFor the shapegate command, in another terminal:\n\n%s\n", g.exports())
	fmt.Fprint(g.out, "\nTokens for a day:\n\n")
	for _, p := range g.everybody() {
		token, err := tokenOf(p, g.secret)
		if err != nil {
			fmt.Fprintf(g.out, "# no token for %s: %v\n", p.Subject, err)
			continue
		}
		fmt.Fprintf(g.out, "%s=%s\n", shellName(p.Subject), token)
	}
	fmt.Fprint(g.out, "\nPaste those into another terminal, then these:\n")
	if g.files == (files{}) && len(g.people) == 0 {
		g.walkthrough()
	} else {
		g.firstSteps()
	}
	fmt.Fprint(g.out, "\nCtrl-C ends everything.\n")
	switch {
	case g.rows != nil:
		fmt.Fprintf(g.out, "\nTwo people side by side, in a browser: %s/\n", g.url())
	case g.files == (files{}):
		fmt.Fprint(g.out, "\nThe demo's page needs DATABASE_URL, of the Postgres that your Electric reads.\n")
	}
}

// exports is a line that names what runs here, as the settings of the shapegate command. An
// address is another one than usual where the usual one is taken.
func (g guide) exports() string {
	line := "export SPICEDB_ENDPOINT=" + g.spicedb.Endpoint + " ELECTRIC_URL=" + g.electric.URL +
		" " + exported + "=" + g.adminListener.Addr().String()
	if g.isEmbedded {
		line += " SPICEDB_TOKEN=" + devToken + " SPICEDB_INSECURE=true"
	}
	if g.files.shapes != "" {
		line += " SHAPEGATE_SHAPES='" + absolute(g.files.shapes) + "'"
	}
	if g.jwtSecret == "" && g.cache != "" {
		line += " SHAPEGATE_JWT_SECRET=\"$(cat '" + filepath.Join(g.cache, secretFile) + "')\""
	}
	return line
}

// absolute is a path that is right in a terminal of another folder, too.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// curl begins a command that asks shapegate.
func (g guide) curl() string {
	if g.tls {
		return "curl -s --cacert '" + g.certificate + "'"
	}
	return "curl -s"
}

func (g guide) controls() string { return "http://" + g.controlListener.Addr().String() }

// walkthrough prints commands to paste that show the demo.
func (g guide) walkthrough() {
	fmt.Fprintf(g.out, `
# What alice may see, and what bob may see.
%[4]s -H "Authorization: Bearer $ALICE" '%[1]s?offset=-1'
%[4]s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# What bob may do with documents: a row for each, to join with the documents in the page.
%[4]s -H "Authorization: Bearer $BOB" '%[5]s?offset=-1'

# Grant bob a document, and look again.
curl -s -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships
%[4]s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# Take it away again.
curl -s -X DELETE -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships
%[4]s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# Wait for a change, as a client does, and grant it again meanwhile: it shows at once.
AT=$(%[4]s -o /dev/null -D - -H "Authorization: Bearer $BOB" '%[1]s?offset=-1' | tr -d '\r' | sed -n -e 's/^[Ee]lectric-[Hh]andle: /handle=/p' -e 's/^[Ee]lectric-[Oo]ffset: /offset=/p' | paste -s -d '&' -)
(sleep 1; curl -s -o /dev/null -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships) & %[4]s -H "Authorization: Bearer $BOB" "%[1]s?live=true&$AT"

# A subset, as TanStack DB asks for it: filtered, ordered, by POST.
%[4]s -H "Authorization: Bearer $ALICE" '%[1]s?offset=now&log=changes_only' \
  -d '{"where": "\"title\" ILIKE $1", "params": {"1": "%%plan%%"}, "order_by": "\"title\"", "limit": 5}'
`, g.url()+"/v1/shapes/documents", g.controls(), demo.SharedLater, g.curl(), g.url()+"/v1/grants/document_actions")
	g.streamAndSession(g.url()+"/v1/shapes/documents?", "BOB")
	if g.table != nil {
		fmt.Fprintf(g.out, `
# Look at the stand-in's rows, and change one; a client that waits for it gets it.
curl -s -d "SELECT id, title FROM documents WHERE archived = false ORDER BY title" %[1]s/sql
curl -s -d "UPDATE documents SET title = 'Borealis plan, second edition' WHERE id = 'd0c00000-0000-4000-8000-000000000004'" %[1]s/sql
`, g.controls())
	}
}
