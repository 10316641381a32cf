package proxy_test

import (
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/shapegate/shapegate/proxy"
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

func TestNothingIsLeftOfAHandlerThatCannotBeMade(t *testing.T) {
	d := deploy(t)
	before := goleak.IgnoreCurrent()
	c := d.config
	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "shapegate_shared_snapshot_requests", Help: "another one"}))
	c.Registerer = taken
	if _, err := proxy.New(c); err == nil {
		t.Fatal("a handler without one of its metrics")
	}
	goleak.VerifyNone(t, before)
}
