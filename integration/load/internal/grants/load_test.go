package grants

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheEmbeddedWorldIsMeasured(t *testing.T) {
	for name, flags := range map[string][]string{"long-poll": nil, "event stream": {"--sse"}} {
		t.Run(name, func(t *testing.T) {
			c := New(func(string) string { return "" })
			var out, log bytes.Buffer
			c.SetOut(&out)
			c.SetErr(&log)
			c.SetArgs(append(flags, "--clients=4", "--own=3", "--groups=2", "--shared=3", "--samples=4", "--pause=0", "--rate=100"))
			if err := c.ExecuteContext(t.Context()); err != nil {
				t.Fatalf("%v\n%s%s", err, &log, &out)
			}
			words := strings.Join(strings.Fields(out.String()), " ")
			for _, text := range []string{
				"4 clients in ", "row change in turn 4 ", "grant in turn 4 ", "revocation 100/s 4 ",
				"group join, 100 rows 100/s 4 ", "group leave, 100 rows, 100/s: ",
				"rows not granted: 0; clients with wrong rows: 0", "CPU of the proxy's process",
			} {
				if !strings.Contains(words, text) {
					t.Errorf("no %q in\n%s", text, &out)
				}
			}
		})
	}
}

func TestOptionsHaveToGoTogether(t *testing.T) {
	for _, flags := range [][]string{
		{"--clients=0"},
		{"--samples=1000000"},
		{"--clients=2", "--own=1", "--samples=3"},
		{"--clients=20000", "--own=10000"},
		{"--rate=-1"},
		{"--limit=0s"},
		{"--pause=-1s"},
		{"--spicedb-endpoint=localhost:50051"},
		{"--metrics-url=http://localhost:9090/metrics"},
		{"--url=http://localhost:8080/v1/shapes/documents"},
		{"--url=http://localhost:8080/v1/shapes/documents", "--jwt-secret=s", "--spicedb-endpoint=localhost:50051", "--spicedb-token=t"},
		{"--each=workspace:main#member@user:alice"},
	} {
		c := New(func(string) string { return "" })
		c.SetArgs(flags)
		if err := c.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%v were accepted", flags)
		}
	}
}

func TestAReplicaFindsWhatWasNotGranted(t *testing.T) {
	const id = "10ad0001-0000-4000-8000-000000000000"
	say := func(operation string) message {
		m, err := parseMessage([]byte(`{"key":"\"public\".\"documents\"/\"` + id + `\"","value":{"id":"` + id + `","title":"t"},"headers":{"operation":"` + operation + `"}}`))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	upToDate := message{}
	upToDate.Headers.Control = "up-to-date"
	receive := func(r *replica, messages ...message) {
		t.Helper()
		if err := r.receive(messages...); err != nil {
			t.Fatal(err)
		}
	}
	leaks := func(r *replica, want int) {
		t.Helper()
		if got := r.leaked("alice"); len(got) != want {
			t.Errorf("%d leaks, want %d: %v", len(got), want, got)
		}
	}

	r := newReplica([]string{id})
	there := r.await(holdsAll([]string{id}))
	receive(r, say("insert"))
	if len(r.ids()) != 0 {
		t.Error("a row is there before up-to-date")
	}
	receive(r, upToDate)
	select {
	case <-there.at:
	default:
		t.Error("no client got the row")
	}
	receive(r, say("delete"), upToDate)
	r.revoked([]string{id})
	receive(r, say("delete"), upToDate)
	leaks(r, 0)
	receive(r, say("insert"))
	leaks(r, 1)
	r.grant([]string{id})
	receive(r, say("insert"))
	leaks(r, 1)

	r = newReplica(nil)
	receive(r, say("delete"))
	leaks(r, 1)
}
