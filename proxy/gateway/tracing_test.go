package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// A client must not choose the trace that the service's spans belong to: it could
// have every request sampled. Its own trace is linked.
func TestAClientsTraceIsLinkedAndNotContinued(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	before, propagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(spans)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() {
		otel.SetTracerProvider(before)
		otel.SetTextMapPropagator(propagator)
	})
	r := world{}.start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.public+"/v1/nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	req.Header.Set("Traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		for _, s := range spans.Ended() {
			if !strings.HasSuffix(s.InstrumentationScope().Name, "/otelhttp") {
				continue // of the calls to SpiceDB, or SpiceDB's own
			}
			if s.Parent().IsValid() || s.SpanContext().TraceID().String() == theirs {
				t.Error("the client's trace goes on in the service's")
			}
			if len(s.Links()) != 1 || s.Links()[0].SpanContext.TraceID().String() != theirs {
				t.Errorf("links: %v", s.Links())
			}
			return
		}
	}
	t.Fatal("no span")
}
