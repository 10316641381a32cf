package proxy_test

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

func TestNothingIsLeftOfADeployment(t *testing.T) {
	live := func(d *deployment) {
		alice := d.as("alice")
		first := alice.get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
		alice.post("/v1/shapes/documents", `{"where":"true"}`).is(http.StatusOK)
		alice.login()
		path := "/v1/shapes/documents?live=true&" + first.onward()
		poll := alice.hold(path)
		alice.stream(path + "&live_sse=true")
		d.waitHeld(2)
		d.exec("UPDATE documents SET title = 'new'")
		poll.answer().is(http.StatusOK)
		d.heldAgain(2)
		d.upstream.away()
		alice.post("/v1/shapes/documents", `{"where":"true"}`).is(http.StatusServiceUnavailable)
		d.upstream.back()
		abandoned := alice.hold("/v1/shapes/board?" + alice.get("/v1/shapes/board?offset=now").onward() + "&live=true")
		d.waitHeld(2)
		d.close()
		<-abandoned.done
	}
	live(deploy(t)) // what belongs to the process starts here
	before := goleak.IgnoreCurrent()
	live(deploy(t))
	goleak.VerifyNone(t, before)
}
