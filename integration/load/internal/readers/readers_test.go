package readers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// oneRow is a server with one change to send: what its clients are sent when
// a test writes. It is its database, too.
type oneRow struct {
	first []string // titles of a first read
	sends func(sql string) []string

	mu      sync.Mutex
	n       int
	titles  []string
	changed chan struct{}
}

func (o *oneRow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Electric-Handle", "1-1")
	h.Set("Electric-Up-To-Date", "")
	o.mu.Lock()
	n, titles, changed := o.n, o.titles, o.changed
	o.mu.Unlock()
	q := r.URL.Query()
	switch {
	case q.Get("live") == "":
		titles = o.first
	case q.Get("offset") == fmt.Sprintf("%d_0", n):
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		o.mu.Lock()
		n, titles = o.n, o.titles
		o.mu.Unlock()
	}
	h.Set("Electric-Offset", fmt.Sprintf("%d_0", n))
	var messages []string
	for _, title := range titles {
		messages = append(messages, fmt.Sprintf(`{"value":{"title":"%s"},"headers":{"operation":"update"}}`, title))
	}
	fmt.Fprintf(w, "[%s]", strings.Join(append(messages, `{"headers":{"control":"up-to-date"}}`), ","))
}

// Exec implements rows.Rows.
func (o *oneRow) Exec(_ context.Context, sql string) (time.Time, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
	o.titles = o.sends(sql)
	close(o.changed)
	o.changed = make(chan struct{})
	return time.Now(), nil
}

// somebody signs for servers that look at no token.
var somebody = people{secret: []byte(secretOfTool), valid: time.Minute}

func TestWhatIsWrongIsNoticed(t *testing.T) {
	right := func(sql string) []string { return []string{world.TitleForAll(markIn(sql))} }
	may := []string{world.TitleForAll(firstMark), world.TitleFor(0, firstMark)}
	for name, c := range map[string]struct {
		first []string
		sends func(sql string) []string
		wrong string // empty: nothing is
	}{
		"nothing":                 {may, right, ""},
		"a row of another":        {may, func(sql string) []string { return append(right(sql), world.TitleFor(1, "x")) }, "load-0000 received 1 rows of others"},
		"a row of nobody's":       {may, func(sql string) []string { return append(right(sql), world.TitleForNobody("x")) }, "load-0000 received 1 rows of others"},
		"a change that is lost":   {may, func(string) []string { return nil }, "a change did not reach 2 of 2 clients"},
		"a row too much at first": {append(may[:2:2], world.TitleFor(1, "x")), right, "received 1 rows of others"},
		"a row too few at first":  {may[:1], right, "load-0000 received 1 rows at first, and may see 2"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &oneRow{first: c.first, sends: c.sends, changed: make(chan struct{})}
			server := httptest.NewServer(o)
			defer server.Close()
			base, err := url.Parse(server.URL + "/v1/shape")
			if err != nil {
				t.Fatal(err)
			}
			s := &site{
				o: &options{people: 1, own: 1, rate: 1000, patience: 100 * time.Millisecond}, log: io.Discard, people: somebody,
			}
			d := &door{name: "server", base: base, first: fromStart, decides: true, rows: o}
			crowd, err := s.openCrowd(t.Context(), d, 2, 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			took, err := crowd.change(t.Context(), everybody)
			if err != nil {
				t.Fatal(err)
			}
			if err := crowd.close(); err != nil {
				t.Fatal(err)
			}
			var r report
			crowd.tally.into(&r, d, 2)
			switch err := r.verdict(); {
			case c.wrong == "" && (err != nil || len(took) != 2):
				t.Errorf("%v; %d clients had it", err, len(took))
			case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("%v, want %q", err, c.wrong)
			}
		})
	}
}

func TestARefusedClientEndsTheCrowd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	base, err := url.Parse(server.URL + "/v1/shape")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{o: &options{people: 1, rate: 1000}, log: io.Discard, people: somebody}
	_, err = s.openCrowd(t.Context(), &door{name: "server", base: base, first: fromStart}, 20, 0, 1)
	if err == nil || !strings.Contains(err.Error(), "refused with status 403") {
		t.Errorf("%v", err)
	}
}

func TestAReportSaysWhatWasMissedAndFailsForWhatIsWrong(t *testing.T) {
	r := report{title: "fanout"}
	r.add(figure{name: "slow", got: "3 ms", base: "bare 1 ms", ratio: 3}.most(2))
	r.add(figure{name: "quick", got: "1 ms", base: "bare 1 ms", ratio: 1}.most(2))
	var out strings.Builder
	r.print(&out)
	for _, text := range []string{"3.00", "<= 2, missed", "1.00", "<= 2, met"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("no %q in\n%s", text, &out)
		}
	}
	if err := r.verdict(); err != nil {
		t.Errorf("slowness is wrong: %v", err)
	}
	r.wrong("a leak")
	if r.verdict() == nil {
		t.Error("a leak is not wrong")
	}
}
