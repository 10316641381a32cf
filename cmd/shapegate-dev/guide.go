package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/schema/demo"
)

// tokenLife is how long the printed tokens hold.
const tokenLife = 24 * time.Hour

// token signs a person's token.
func (w *world) token(p demo.Person) (string, error) {
	claims := jwt.MapClaims{"sub": p.Subject, "exp": time.Now().Add(tokenLife).Unix()}
	for name, value := range p.Claims {
		claims[name] = value
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(w.jwtSecret)
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
	fmt.Fprint(out, "\n\nThe demo's people, each with a token for a day:\n\n")
	for _, p := range demo.People() {
		token, err := w.token(p)
		if err != nil {
			fmt.Fprintf(out, "# no token for %s: %v\n", p.Subject, err)
			continue
		}
		fmt.Fprintf(out, "%s=%s\n", strings.ToUpper(p.Subject), token)
	}
	documents := w.url() + "/v1/shapes/documents"
	controls := "http://" + w.controlListener.Addr().String()
	fmt.Fprintf(out, `
Paste those into another terminal, then these:

# What alice may see, and what bob may see.
curl -s -H "Authorization: Bearer $ALICE" '%[1]s?offset=-1'
curl -s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# Grant bob a document, and look again.
curl -s -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships
curl -s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# Take it away again.
curl -s -X DELETE -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships
curl -s -H "Authorization: Bearer $BOB" '%[1]s?offset=-1'

# Wait for a change, as a client does, and grant it again meanwhile: it is told at once.
AT=$(curl -s -o /dev/null -D - -H "Authorization: Bearer $BOB" '%[1]s?offset=-1' | tr -d '\r' | sed -n -e 's/^Electric-Handle: /handle=/p' -e 's/^Electric-Offset: /offset=/p' | paste -s -d '&' -)
(sleep 1; curl -s -o /dev/null -d 'document:%[3]s#viewer@user:bob' %[2]s/relationships) & curl -s -H "Authorization: Bearer $BOB" "%[1]s?live=true&$AT"

# A subset, as TanStack DB asks for it: filtered, ordered, by POST.
curl -s -H "Authorization: Bearer $ALICE" '%[1]s?offset=now&log=changes_only' \
  -d '{"where": "\"title\" ILIKE $1", "params": {"1": "%%plan%%"}, "order_by": "\"title\"", "limit": 5}'

# A session: a token that can be taken back.
curl -s -X POST -H "Authorization: Bearer $ALICE" %[4]s/v1/session
`, documents, controls, demo.SharedLater, w.url())
	if w.table != nil {
		fmt.Fprintf(out, `
# Change a row of the stand-in; whoever waits for it is told.
curl -s -d "UPDATE documents SET title = 'Borealis plan, second edition' WHERE id = 'd0c00000-0000-4000-8000-000000000004'" %s/sql
`, controls)
	}
	fmt.Fprint(out, "\nCtrl-C ends everything.\n")
}
