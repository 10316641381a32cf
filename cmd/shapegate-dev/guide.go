package main

import (
	"fmt"
	"io"
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

// token signs a person's token.
func (w *world) token(p demo.Person) (string, error) {
	claims := jwt.MapClaims{"sub": p.Subject, "exp": time.Now().Add(tokenLife).Unix()}
	for name, value := range p.Claims {
		claims[name] = value
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(w.secret)
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

// guide prints what runs, and what to do with it.
func (w *world) guide(out io.Writer, took time.Duration) {
	fmt.Fprintf(out, "shapegate-dev is ready after %d ms.\n\n", took.Milliseconds())
	for _, p := range w.started {
		fmt.Fprintf(out, "  %-10s %s\n", p.name, p.what)
	}
	fmt.Fprint(out, "\nShapes:")
	for _, s := range w.shapes {
		fmt.Fprintf(out, " %s", s.Name)
	}
	fmt.Fprint(out, "\n\nTokens for a day:\n\n")
	for _, p := range w.everybody() {
		token, err := w.token(p)
		if err != nil {
			fmt.Fprintf(out, "# no token for %s: %v\n", p.Subject, err)
			continue
		}
		fmt.Fprintf(out, "%s=%s\n", shellName(p.Subject), token)
	}
	fmt.Fprint(out, "\nPaste those into another terminal, then these:\n")
	if w.files == (files{}) && len(w.people) == 0 {
		w.walkthrough(out)
	} else {
		w.firstSteps(out)
	}
	fmt.Fprint(out, "\nCtrl-C ends everything.\n")
}

// curl begins a command that asks shapegate.
func (w *world) curl() string {
	if w.tls {
		return "curl -s --cacert '" + w.certificate + "'"
	}
	return "curl -s"
}

func (w *world) controls() string { return "http://" + w.controlListener.Addr().String() }

// walkthrough prints commands to paste that show the demo.
func (w *world) walkthrough(out io.Writer) {
	fmt.Fprintf(out, `
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
`, w.url()+"/v1/shapes/documents", w.controls(), demo.SharedLater, w.url(), w.curl())
	if w.table != nil {
		fmt.Fprintf(out, `
# Look at the stand-in's rows, and change one; a client that waits for it gets it.
curl -s -d "SELECT id, title FROM documents WHERE archived = false ORDER BY title" %[1]s/sql
curl -s -d "UPDATE documents SET title = 'Borealis plan, second edition' WHERE id = 'd0c00000-0000-4000-8000-000000000004'" %[1]s/sql
`, w.controls())
	}
}

// firstSteps prints commands to paste for a world of the user's own.
func (w *world) firstSteps(out io.Writer) {
	person, shape := shellName(w.everybody()[0].Subject), w.shapes[0]
	query := "?offset=-1"
	for _, param := range shape.Params {
		query += "&" + param + "=…"
	}
	fmt.Fprintf(out, `
# What the first of them may see.
%[1]s -H "Authorization: Bearer $%[2]s" '%[3]s/v1/shapes/%[4]s%[5]s'

# Write relationships, or delete them with -X DELETE.
curl -s -d 'type:id#relation@user:%[6]s' %[7]s/relationships
`, w.curl(), person, w.url(), shape.Name, query, w.everybody()[0].Subject, w.controls())
	if w.table != nil {
		fmt.Fprintf(out, `
# Look at the stand-in's rows; INSERT, UPDATE and DELETE change them.
curl -s -d 'SELECT * FROM %s LIMIT 5' %s/sql
`, shape.Table.Name, w.controls())
	}
}
