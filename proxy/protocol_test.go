package proxy_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the exchanges in PROTOCOL.md anew")

const protocolPage = "PROTOCOL.md"

// The page's exchanges are real ones. The test makes them again, in the page's order, and
// compares. Handles are random: they are called H1, H2, … in the order of their first
// appearance. Snapshot marks and cursors are left out.
func TestTheExchangesOfPROTOCOLAreThoseThatTheProxyHas(t *testing.T) {
	p := &page{d: deploy(t)}
	p.record(t)
	text, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	got := p.fill(t, text)
	if bytes.Equal(got, text) {
		return
	}
	if *update {
		if err := os.WriteFile(protocolPage, got, 0o644); err != nil { //nolint:gosec // a page of documentation
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not up to date: go test ./proxy -run PROTOCOL -update\n%s", protocolPage, cmp.Diff(string(text), string(got)))
}

// page collects exchanges by the names that PROTOCOL.md has for them.
type page struct {
	d       *deployment
	alice   reader
	handles []string
	blocks  map[string]string
}

const documents = "/v1/shapes/documents?"

// record makes the exchanges. Alice may see d1 and d2 at first.
func (p *page) record(t *testing.T) {
	d := p.d
	p.alice, p.blocks = d.as("alice"), map[string]string{}
	d.as("bob").get(documents + "offset=-1") // so that the log is followed, and has a position
	d.exec("UPDATE documents SET title = 'vier' WHERE id = $1", full("d4"))
	first := p.get("first read", "offset=-1")
	p.get("position", "offset=now")

	d.exec("UPDATE documents SET title = 'uno' WHERE id = $1", full("d1"))
	d.exec("UPDATE documents SET title = 'tre' WHERE id = $1", full("d3")) // not alice's
	next := p.get("catch-up", first.onward())

	poll := p.alice.hold(documents + "live=true&" + next.onward())
	d.waitHeld(1)
	d.exec("UPDATE documents SET title = 'due' WHERE id = $1", full("d2"))
	next = p.note("long-poll", "GET "+documents+"live=true&"+next.onward(), "", poll.answer())

	d.revoke(sees("alice", "d1"))
	d.grant(sees("alice", "d3"))
	next = p.get("resync", next.onward())

	d.revoke(sees("alice", "d3"))
	d.grant(sees("alice", "d4"))
	stream := p.stream(t, "stream with a resync", next.onward())
	d.grant(sees("alice", "d1"))
	stream.ends()
	p.get("back without the mark", stream.adopted())
	next = p.get("back with the mark", stream.onward())

	p.post("subset", next.onward(), `{"where":"\"title\" = $1 OR \"title\" = 'uno'","params":{"1":"due"}}`)
	p.post("subset without a handle", "", `{"order_by":"\"title\"","limit":1}`)

	p.get("must-refetch", "handle="+strings.Repeat("x", 60)+"&offset=0_0")
	p.get("bad request", "offset=-1&color=red")
}

func (p *page) get(name, query string) *answer {
	return p.note(name, "GET "+documents+query, "", p.asking(name, func() *answer { return p.alice.get(documents + query) }))
}

func (p *page) post(name, query, body string) {
	p.note(name, "POST "+strings.TrimSuffix(documents+query, "?"), body, p.asking(name, func() *answer { return p.alice.post(documents+query, body) }))
}

// asking makes an exchange and notes the snapshots that Electric is asked for meanwhile.
func (p *page) asking(name string, exchange func() *answer) *answer {
	p.d.upstream.forget()
	a := exchange()
	for _, upstream := range p.d.upstream.byReaders() {
		if upstream.isSubset() {
			p.blocks[name] += "\nto Electric, by POST:\n" + string(upstream.body) + "\n"
		}
	}
	return a
}

// note writes an exchange down. What Electric was asked stands between request and answer.
func (p *page) note(name, request, body string, a *answer) *answer {
	if body != "" {
		body = "\n" + body
	}
	p.blocks[name] = p.named(request+body+"\n") + p.blocks[name] + "\n" + p.named(p.head(a.status, a.header)+messageLines(string(a.body)))
	return a
}

// stream makes an exchange whose answer is an event stream, up to its first up-to-date.
func (p *page) stream(t *testing.T, name, query string) *stream {
	path := documents + "live=true&live_sse=true&" + query
	p.d.upstream.forget()
	s := p.alice.stream(path)
	text := ""
	for !strings.Contains(text, `"up-to-date"`) {
		event := s.next()
		text += event + "\n\n"
		if _, after, ok := strings.Cut(event, `"global_last_seen_lsn":"`); ok {
			s.lsn, _, _ = strings.Cut(after, `"`)
		}
	}
	asked := ""
	for _, upstream := range p.d.upstream.byReaders() {
		if upstream.isSubset() {
			asked += "\nto Electric, by POST:\n" + string(upstream.body) + "\n"
		}
	}
	if s.lsn == "" {
		t.Fatalf("a stream without a position: %s", text)
	}
	p.blocks[name] = p.named("GET "+path+"\n") + asked + "\n" + p.named(p.head(http.StatusOK, s.header)+text)
	return s
}

// head spells the status and the headers of Electric's protocol.
func (p *page) head(status int, header http.Header) string {
	var lines []string
	for name, values := range header {
		name = strings.ToLower(name)
		if name == "electric-cursor" {
			values = []string{"…"} // of the time
		}
		if strings.HasPrefix(name, "electric-") || name == "content-type" && status == http.StatusOK {
			lines = append(lines, strings.TrimSpace(name+": "+values[0]))
		}
	}
	slices.Sort(lines)
	return strings.Join(append([]string{strconv.Itoa(status)}, lines...), "\n") + "\n\n"
}

// messageLines puts each message of a log on a line of its own.
func messageLines(body string) string {
	return strings.TrimSuffix(strings.ReplaceAll(body, `}},{"`, "}},\n {\""), "\n") + "\n"
}

// snapshotMark is a random number that Electric gives to a snapshot.
var snapshotMark = regexp.MustCompile(`"snapshot_mark":\d+`)

var handleText = regexp.MustCompile(`(handle[=:] ?)([A-Za-z0-9_-]{50,})`)

// named replaces the handles in a text by names.
func (p *page) named(text string) string {
	text = snapshotMark.ReplaceAllString(text, `"snapshot_mark":…`)
	return handleText.ReplaceAllStringFunc(text, func(found string) string {
		parts := handleText.FindStringSubmatch(found)
		i := slices.Index(p.handles, parts[2])
		if i < 0 {
			i = len(p.handles)
			p.handles = append(p.handles, parts[2])
		}
		return fmt.Sprintf("%sH%d", parts[1], i+1)
	})
}

var exchangeBlock = regexp.MustCompile("(?s)(<!-- exchange: ([^>]*) -->\n\n```http\n)(.*?)(```\n)")

// fill returns the page with the exchanges as they are now. Each has to be on the page.
func (p *page) fill(t *testing.T, text []byte) []byte {
	seen := map[string]bool{}
	out := exchangeBlock.ReplaceAllFunc(text, func(block []byte) []byte {
		parts := exchangeBlock.FindSubmatch(block)
		name := string(parts[2])
		exchange, ok := p.blocks[name]
		if !ok {
			t.Errorf("%s has an exchange %q that the test does not make", protocolPage, name)
			return block
		}
		seen[name] = true
		return slices.Concat(parts[1], []byte(strings.TrimRight(exchange, "\n")+"\n"), parts[4])
	})
	for name := range p.blocks {
		if !seen[name] {
			t.Errorf("%s lacks the exchange %q", protocolPage, name)
		}
	}
	return out
}
