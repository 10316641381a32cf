package proxy_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/authztest"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy/electric"
)

func TestIdsThatTheColumnCannotHoldAreLeftOut(t *testing.T) {
	d := deploy(t, granting(
		"document:readme#viewer@user:alice",
		"document:42#viewer@user:alice",
		"document:"+full("d3")+"0#viewer@user:alice",
		"document:"+strings.ReplaceAll(full("d3"), "-", "")+"#viewer@user:alice",
		// Another spelling is another object to SpiceDB, and the same value to SQL.
		"document:"+strings.ToUpper(full("d4"))+"#viewer@user:alice",
	))
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1").holds("d1", "d2")
	if got := d.metric("shapegate_object_ids_left_out_total"); got != 5 {
		t.Errorf("%v ids are counted as left out, want 5", got)
	}
	alice.post("/v1/shapes/documents", `{"where":"true"}`).holds("d1", "d2")
	d.exec("UPDATE documents SET title = 'new'")
	alice.get("/v1/shapes/documents?"+first.onward()).says("update d1 title=new", "update d2 title=new", "up-to-date")
	if strings.Contains(d.logged.String(), "readme") {
		t.Error("an id is in the log")
	}
}

// manyIDs is a number of ids that does not fit into one request.
const manyIDs = 250_000

// grantingManyIDs grants so many ids to everybody.
func grantingManyIDs() option {
	set := authz.NewGrantSet(authz.NewIDs(authz.NewFingerprintKey(handleSecret)), func(yield func(string) bool) {
		for i := range manyIDs {
			if !yield(fmt.Sprintf("c0000000-0000-4000-8000-%012d", i)) {
				return
			}
		}
	})
	return deciding(authztest.Always{Decision: authz.Decision{Grants: authz.GrantsOf(set)}})
}

func TestMoreIdsThanFitIntoOneRequest(t *testing.T) {
	d := deploy(t, grantingManyIDs())
	const every = 2_500 // of the ids has a row
	_, err := d.electric.Tx(func(tx *electrictest.Tx) error {
		for i := 0; i < manyIDs; i += every {
			row := map[string]any{"id": fmt.Sprintf("c0000000-0000-4000-8000-%012d", i), "title": "held"}
			if err := tx.Insert("documents", row); err != nil {
				return err
			}
		}
		return nil
	})
	d.check(err)
	alice := d.as("alice")

	t.Run("are sent in several, which together hold every row once", func(t *testing.T) {
		ids := alice.get("/v1/shapes/documents?offset=-1").ids()
		slices.Sort(ids)
		if distinct := slices.Compact(slices.Clone(ids)); len(ids) != manyIDs/every || len(distinct) != len(ids) {
			t.Errorf("%d rows, %d of them distinct, want %d", len(ids), len(distinct), manyIDs/every)
		}
		parts := 0
		for _, a := range d.upstream.forget() {
			if a.isSubset() {
				parts++
			}
			if len(a.body) > electric.MaxBody {
				t.Errorf("a body of %d bytes", len(a.body))
			}
		}
		if parts < 2 {
			t.Errorf("%d subset requests, want several", parts)
		}
	})
	t.Run("cannot be sent where an order or a limit stands against it", func(t *testing.T) {
		d.upstream.forget()
		a := alice.post("/v1/shapes/documents", `{"order_by":"\"title\"","limit":10}`)
		a.refused(http.StatusUnprocessableEntity, "order_by")
		if text := string(a.body); !strings.Contains(text, "drop order_by, limit and offset") || !strings.Contains(text, "param") {
			t.Errorf("it does not say what to do: %s", text)
		}
		if len(d.upstream.byReaders()) > 0 {
			t.Error("Electric was asked all the same")
		}
	})
}
