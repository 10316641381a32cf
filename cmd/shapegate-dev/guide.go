package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/schema/demo"
)

// tokenLife is how long the printed tokens hold.
const tokenLife = 24 * time.Hour

// everybody returns who gets a token: the people asked for, with the claims of those
// who are the demo's, or the demo's.
func (o *options) everybody() []demo.Person {
	all := demo.People()
	if len(o.people) == 0 {
		return all
	}
	people := make([]demo.Person, len(o.people))
	for i, subject := range o.people {
		people[i].Subject = subject
		if k := slices.IndexFunc(all, func(p demo.Person) bool { return p.Subject == subject }); k >= 0 {
			people[i].Claims = all[k].Claims
		}
	}
	return people
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
		if r < 'A' || r > 'Z' {
			return '_'
		}
		return r
	}, strings.ToUpper(subject))
	if name[0] == '_' {
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
	fmt.Fprint(g.out, "\nShapes:")
	for _, s := range g.shapes {
		fmt.Fprintf(g.out, " %s", s.Name)
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
		" SHAPEGATE_ADMIN_LISTEN=" + g.adminListener.Addr().String()
	if g.isEmbedded {
		line += " SPICEDB_TOKEN=" + devToken + " SPICEDB_INSECURE=true"
	}
	if g.files.shapes != "" {
		line += " SHAPEGATE_SHAPES='" + g.files.shapes + "'"
	}
	if g.jwtSecret == "" && g.cache != "" {
		line += " SHAPEGATE_JWT_SECRET=\"$(cat '" + filepath.Join(g.cache, secretFile) + "')\""
	}
	return line
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
%[5]s -H "Authorization: Bearer $ALICE" '%[1]s?offset=-1'
%[5]s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# Grant bob a document, and look again.
curl -s -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships
%[5]s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# Take it away again.
curl -s -X DELETE -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships
%[5]s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# Wait for a change, as a client does, and grant it again meanwhile: it shows at once.
AT=$(%[5]s -o /dev/null -D - -H "Authorization: Bearer $BOB" '%[1]s?offset=-1' | tr -d '\r' | sed -n -e 's/^[Ee]lectric-[Hh]andle: /handle=/p' -e 's/^[Ee]lectric-[Oo]ffset: /offset=/p' | paste -s -d '&' -)
(sleep 1; curl -s -o /dev/null -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships) & %[5]s -H "Authorization: Bearer $BOB" "%[1]s?live=true&$AT"

# A subset, as TanStack DB asks for it: filtered, ordered, by POST.
%[5]s -H "Authorization: Bearer $ALICE" '%[1]s?offset=now&log=changes_only' \
  -d '{"where": "\"title\" ILIKE $1", "params": {"1": "%%plan%%"}, "order_by": "\"title\"", "limit": 5}'

# A session: a token that can be taken back.
%[5]s -X POST -H "Authorization: Bearer $ALICE" %[4]s/v1/session
`, g.url()+"/v1/shapes/documents", g.controls(), demo.SharedLater, g.url(), g.curl())
	if g.table != nil {
		fmt.Fprintf(g.out, `
# Look at the stand-in's rows, and change one; a client that waits for it gets it.
curl -s -d "SELECT id, title FROM documents WHERE archived = false ORDER BY title" %[1]s/sql
curl -s -d "UPDATE documents SET title = 'Borealis plan, second edition' WHERE id = 'd0c00000-0000-4000-8000-000000000004'" %[1]s/sql
`, g.controls())
	}
}

// firstSteps prints commands to paste for a world of the user's own.
func (g guide) firstSteps() {
	person, shape := shellName(g.everybody()[0].Subject), g.shapes[0]
	query := "?offset=-1"
	for _, param := range shape.Params {
		query += "&" + param + "=…"
	}
	fmt.Fprintf(g.out, `
# What the first of them may see.
%[1]s -H "Authorization: Bearer $%[2]s" '%[3]s/v1/shapes/%[4]s%[5]s'

# Write relationships, or delete them with -X DELETE.
curl -s -d 'type:id#relation@user:%[6]s' %[7]s/relationships
`, g.curl(), person, g.url(), shape.Name, query, g.everybody()[0].Subject, g.controls())
	if g.table != nil {
		fmt.Fprintf(g.out, `
# Look at the stand-in's rows; INSERT, UPDATE and DELETE change them.
curl -s -d 'SELECT * FROM %s LIMIT 5' %s/sql
`, shape.Table.Name, g.controls())
	}
}
