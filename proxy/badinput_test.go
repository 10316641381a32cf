package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestABadSubsetIsRefusedByField(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	alice.get("/v1/shapes/documents?offset=-1") // so that the table is known
	d.upstream.forget()
	where := func(sql string) string { return fmt.Sprintf(`{"where":%q}`, sql) }
	for _, tt := range []struct{ body, field string }{
		{where("true) or (true"), "where"},
		{where("true; DROP TABLE documents"), "where"},
		{where("true;"), "where"},
		{where("true -- and the rest"), "where"},
		{where("true /* and the rest */"), "where"},
		{where("true ORDER BY 1"), "where"},
		{where("true UNION SELECT 1"), "where"},
		{where(`"id" IN (SELECT id FROM payroll)`), "where"},
		{where("EXISTS (SELECT 1)"), "where"},
		{where("pg_sleep(10) IS NULL"), "where"},
		{where("current_user = 'x'"), "where"},
		{where(`"secret" = 'x'`), "where"},
		{where(`"archived" = false`), "where"},
		{where(`tasks."id" IS NULL`), "where"},
		{where("1 / 0 = 1"), "where"},
		{where(`"title" ~ '('`), "where"},
		{where(`"title"::int4 = 1`), "where"},
		{where("$9"), "where"},
		{where(`"title" = $9`), "where"},
		{where("("), "where"},
		{where(strings.Repeat("(", 5000) + "true" + strings.Repeat(")", 5000)), "where"},
		{where(strings.Repeat("NOT ", 100_000) + "true"), "where"},
		{`{"where":1}`, "where"},
		{`{"where":{"a":1}}`, "where"},
		{`{"where":"\"id\" = ANY($1)","params":{"1":"no array"}}`, "params.1"},
		{`{"where":"\"title\" = $1","params":{"1":["a"]}}`, "params.1"},
		{`{"where":"\"title\" = $1","params":{"1":{"a":1}}}`, "params.1"},
		{`{"where":"\"title\" = $1","params":{"1":null}}`, "params.1"},
		{`{"where":"\"title\" = $1","params":{"1":"\u0000"}}`, "params.1"},
		{`{"where":"\"title\" = $1","params":{"one":"a"}}`, "params"},
		{`{"where":"\"title\" = $1","params":{"0":"a"}}`, "params"},
		{`{"where":"\"title\" = $1","params":["a"]}`, "params"},
		{`{"where":"\"title\" = $1","params":"{}"}`, "params"},
		{`{"limit":1}`, "order_by"},
		{`{"offset":1}`, "order_by"},
		{`{"order_by":"\"title\"","limit":"many"}`, "limit"},
		{`{"order_by":"\"title\"","limit":0}`, "limit"},
		{`{"order_by":"\"title\"","limit":1.5}`, "limit"},
		{`{"order_by":"\"title\"","offset":-1}`, "offset"},
		{`{"order_by":"\"title\"","offset":"-1"}`, "offset"},
		{`{"offset":"-1"}`, "offset"},
		{`{"order_by":"\"secret\""}`, "order_by"},
		{`{"order_by":"1"}`, "order_by"},
		{`{"order_by":"\"title\"; SELECT 1"}`, "order_by"},
		{`{"order_by":"(SELECT 1)"}`, "order_by"},
		{`{"order_by":"random()"}`, "order_by"},
		{`{"order_by":["title"]}`, "order_by"},
		{`{"subset":{"where":"true"}}`, "subset"},
		{`{"where":"true","subset":{"where":"true"}}`, "subset"},
		{`[]`, "body"},
		{`"where"`, "body"},
		{`null`, "body"},
		{`{"where":"true"`, "body"},
		{`{"where":"true"}{}`, "body"},
		{`{"where":"true","where":"false"}`, "body"},
		{`{"where":"true","whe\u0072e":"false"}`, "body"},
		{`{"where":"true","params":{"1":"a","1":"b"}}`, "body"},
		{"{\"where\":\"\xff\"}", "body"},
		{"{\"\xff\":1}", "body"},
		{`{"where":"\ud800"}`, "body"},
		{`{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "body"},
		{strings.Repeat("[", 900_000), "body"},
		{"where=true", "body"},
	} {
		t.Run(tt.body[:min(len(tt.body), 60)], func(t *testing.T) {
			a := alice.post("/v1/shapes/documents?offset=now", tt.body)
			a.t = t
			a.refused(http.StatusBadRequest, tt.field)
		})
	}
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v %s", asked[0].query, asked[0].body)
	}
}

func TestABadQueryIsRefusedByField(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	at := first.onward()
	d.upstream.forget()
	for _, tt := range []struct{ query, field string }{
		{"", "offset"},
		{"offset=", "offset"},
		{"offset=x", "offset"},
		{"offset=-2&handle=1-1", "offset"},
		{"offset=1&handle=1-1", "offset"},
		{"offset=1_2_3&handle=1-1", "offset"},
		{"offset=01_2&handle=1-1", "offset"},
		{"offset=1_-1&handle=1-1", "offset"},
		{"offset=99999999999999999999_0&handle=1-1", "offset"},
		{"offset=0_0", "handle"},
		{"offset=0_0&handle=", "handle"},
		{"offset=0_0&handle=a%0D%0Ab", "handle"},
		{"offset=0_0&handle=%22%3E", "handle"},
		{"offset=0_0&handle=" + strings.Repeat("a", 5000), "handle"},
		{"offset=-1&live=true", "live"},
		{"offset=now&live=true", "live"},
		{"live=maybe&" + at, "live"},
		{"live_sse=true&" + at, "live_sse"},
		{"live=true&live_sse=1&" + at, "live_sse"},
		{"live=true&cursor=x&" + at, "cursor"},
		{"live=true&cursor=123456789012345678901&" + at, "cursor"},
		{"log=some&" + at, "log"},
		{"replica=both&" + at, "replica"},
		{"offset=-1&offset=-1", "offset"},
		{"offset=-1&x=1&x=2", "x"},
		{"offset=-1&table=a&table=b", "table"},
		{"offset=-1&" + strings.Repeat("k", 100) + "=1&" + strings.Repeat("k", 100) + "=2", "query"},
		{"offset=-1&x=%zz", "query"},
		{"offset=-1;x=1", "query"},
		{"offset=-1&x=%FF", "x"},
		{"offset=-1&x=%00", "x"},
		{"offset=-1&%FF=x", "query"},
		{"offset=-1&subset__where=true)%20or%20(true", "where"},
		{"offset=-1&subset__where=%22secret%22%20IS%20NULL", "where"},
		{"offset=-1&subset__where=true&subset__params=[]", "params"},
		{"offset=-1&subset__where=true&subset__params={%221%22:[]}", "params.1"},
		{"offset=-1&subset__limit=1", "order_by"},
		{"subset__order_by=secret", "order_by"},
		{"live=true&subset__where=true&" + at, "live"},
		{"offset=0_0&subset__where=true", "handle"},
	} {
		t.Run(tt.query[:min(len(tt.query), 60)], func(t *testing.T) {
			a := alice.get("/v1/shapes/documents?" + tt.query)
			a.t = t
			a.refused(http.StatusBadRequest, tt.field)
		})
	}
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
	a := alice.post("/v1/shapes/documents?subset__where=true", `{"where":"true"}`)
	a.refused(http.StatusBadRequest, "subset")
}

func TestAHandleThatIsNotOursOpensNothing(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.upstream.forget()
	for _, handle := range []string{
		"x", "1-1", "3297964-1795463878298592", "-1", "now", strings.Repeat("~", 100), strings.Repeat("A", 200),
		first.handle() + "A", first.handle()[1:], first.handle()[:len(first.handle())-1], first.handle() + "~x",
		first.handle() + first.handle(), strings.ToLower(first.handle()),
	} {
		for _, live := range []string{"", "live=true&", sse} {
			alice.get("/v1/shapes/documents?" + live + "handle=" + handle + "&offset=" + first.offset()).mustRefetch(first)
		}
	}
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
}

// An offset past the log's end is one that Electric never gave out.
func TestAnOffsetThatIsNotOursOpensNothing(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	first := alice.get("/v1/shapes/documents?offset=-1")
	d.upstream.answering(notNow, badRequest())
	alice.get("/v1/shapes/documents?handle=" + first.handle() + "&offset=999999999999_0").mustRefetch(first)
	alice.get("/v1/shapes/documents?live=true&handle=" + first.handle() + "&offset=999999999999_0").mustRefetch(first)
}

func TestABodyOverEightMegabytesIsTooLarge(t *testing.T) {
	d := deploy(t)
	body := `{"where":"true","x":"` + strings.Repeat("x", 8_000_000) + `"}`
	d.as("alice").post("/v1/shapes/documents?offset=now", body).refused(http.StatusRequestEntityTooLarge, "body")
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
}

// The server closes a connection whose body it has not read to its end. It says so, or the
// client's next request would be lost on it.
func TestAClientGoesOnAfterABodyThatIsTooLarge(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	large := strings.Repeat(" ", 8_000_001)
	for range 10 {
		alice.post("/v1/shapes/documents?offset=now", large).refused(http.StatusRequestEntityTooLarge, "body")
		alice.post("/v1/shapes/documents?offset=now", "").is(http.StatusOK)
	}
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	for _, method := range []string{"PUT", "PATCH", "DELETE", "TRACE", "BREW"} {
		for _, path := range []string{"/v1/shapes/documents?offset=-1", "/v1/shape?table=documents&offset=-1"} {
			alice.do(method, path, "").refused(http.StatusMethodNotAllowed, "")
		}
	}
	alice.do("PUT", "/v1/session", "").refused(http.StatusMethodNotAllowed, "")
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
}

func TestHEADIsGETWithoutABody(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	get := alice.get("/v1/shapes/documents?offset=-1").is(http.StatusOK)
	for _, path := range []string{"/v1/shapes/documents?offset=-1", "/v1/shape?table=documents&offset=-1", "/v1/shapes/documents/?offset=-1"} {
		head := alice.do("HEAD", path, "").is(http.StatusOK)
		if len(head.body) > 0 || head.offset() != get.offset() || head.header.Get("Electric-Schema") != get.header.Get("Electric-Schema") || !head.upToDate() {
			t.Errorf("%s: headers %v", path, head.header)
		}
	}
	alice.do("HEAD", "/v1/shapes/documents?offset=x", "").is(http.StatusBadRequest)
	d.anybody().do("HEAD", "/v1/shapes/documents?offset=-1", "").is(http.StatusUnauthorized)
	cookie := alice.login()
	d.anybody().with("Cookie", cookie).do("HEAD", "/v1/session", "").is(http.StatusOK)
	// A client has read such an answer when it has its headers: none may go on.
	alice.do("HEAD", "/v1/shapes/documents?"+sse+get.onward(), "").is(http.StatusBadRequest)
}

func TestAnUnknownKeyIsRefusedByItsName(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	at := alice.get("/v1/shapes/documents?offset=-1").onward()
	d.upstream.forget()
	for _, key := range []string{
		"wehre", "Where", "colunms", "secret", "api_secret", "queryable_columns", "project", "subset", "subset__nonsense", "subset__where[1]",
		"params[0]", "params[x]", "params[01]", "params[1", "params[-1]", "where[1]", "offset[1]", "_", "params[1][2]",
	} {
		for _, path := range []string{"/v1/shapes/documents?" + at, "/v1/shape?table=documents&" + at, "/v1/shapes/documents?offset=-1"} {
			a := alice.get(path + "&" + url.QueryEscape(key) + "=1")
			a.refused(http.StatusBadRequest, key)
		}
		alice.post("/v1/shapes/documents?offset=now&"+url.QueryEscape(key)+"=1", `{"where":"true"}`).refused(http.StatusBadRequest, key)
	}
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
	// A shape's own param is known to that shape.
	alice.get("/v1/shapes/project_tasks?offset=-1&project=p1").is(http.StatusOK)
	// Without credentials, an answer does not say what a shape knows.
	d.anybody().get("/v1/shapes/documents?offset=-1&nonsense=1").refused(http.StatusUnauthorized, "")
}

func TestACacheBusterMayStandThereTwice(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	alice.get("/v1/shapes/documents?offset=-1&cache-buster=1&cache-buster=2&expired_handle=1-1&expired_handle=1-2").holds("d1", "d2")
	alice.get("/v1/shapes/documents?offset=-1&cache-buster=1&cache-buster=%FF").refused(http.StatusBadRequest, "cache-buster")
	alice.get("/v1/shapes/documents?offset=-1&cursor=1&cursor=2").refused(http.StatusBadRequest, "cursor")
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	d := deploy(t)
	alice := d.as("alice")
	alice.get("/v1/shapes/payroll?offset=-1").refused(http.StatusNotFound, "table")
	alice.get("/v1/shape?table=payroll&offset=-1").refused(http.StatusNotFound, "table")
	alice.get("/v1/shape?table=public.documents&offset=-1").refused(http.StatusNotFound, "table")
	alice.get("/v1/shape?offset=-1").refused(http.StatusNotFound, "table")
	for _, path := range []string{"/", "/v1", "/v1/shapes", "/v1/shapes/documents/log", "/v2/shapes/documents", "/metrics", "/healthz", "/debug/pprof"} {
		alice.get(path).refused(http.StatusNotFound, "")
	}
	// Without credentials, an answer does not say which shapes there are.
	d.anybody().get("/v1/shapes/payroll?offset=-1").refused(http.StatusUnauthorized, "")
}

// A path that another server could read differently is no path: the lines go over
// the wire as they stand here, past every client that would tidy them up.
func TestAPathWithTwoReadingsIsNotFound(t *testing.T) {
	d := deploy(t)
	for _, target := range []string{
		"//v1/shapes/documents", "/v1//shapes/documents", "/v1/shapes//documents", "/v1/shapes/documents//", "/v1/shapes/documents/./",
		"/v1/./shapes/documents", "/v1/shapes/./documents", "/v1/x/../shapes/documents", "/v1/shapes/payroll/../documents",
		"/v1/shapes/%64ocuments", "/v1/%73hapes/documents", "/v1/shapes%2Fdocuments", "/v1%2fshapes%2fdocuments",
		"/v1/%2e/shapes/documents", "/v1/x/%2e%2e/shapes/documents", "/v1/shapes/documents%00", "/v1/shapes/documents%20",
		"/v1/shapes/documents;x", "/v1/shapes;/documents", `/v1/shapes\documents`, `/v1/shapes/..\documents`, "/V1/shapes/documents", "/v1/shapes/Documents",
		"/v1/shapes/documents%3Foffset=-1", "/v1/shapes/*", "/v1/shapes/:name",
	} {
		if status := d.raw("GET " + target + "?offset=-1&table=documents HTTP/1.1"); status != http.StatusNotFound {
			t.Errorf("%s: status %d", target, status)
		}
	}
	for _, target := range []string{"/v1/shapes/documents", "http://elsewhere.example/v1/shapes/documents", "/v1/shape", "/v1/shapes/documents/", "/v1/shape/"} {
		if status := d.raw("GET " + target + "?offset=-1&table=documents HTTP/1.1"); status != http.StatusOK {
			t.Errorf("%s: status %d", target, status)
		}
	}
}

// raw sends alice's request with a request line as it is, and returns the status.
func (d *deployment) raw(line string) int {
	d.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(d.context(), "tcp", strings.TrimPrefix(d.url, "http://"))
	d.check(err)
	defer closing(conn)
	_, err = fmt.Fprintf(conn, "%s\r\nHost: shapegate\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", line, d.token("alice", nil))
	d.check(err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	d.check(err)
	defer closing(resp.Body)
	_, err = io.Copy(io.Discard, resp.Body)
	d.check(err)
	return resp.StatusCode
}

func TestCredentialsThatDoNotHoldAreRefused(t *testing.T) {
	d := deploy(t)
	for name, r := range map[string]reader{
		"none":             d.anybody(),
		"no token":         d.anybody().with("Authorization", "Bearer "),
		"nonsense":         d.anybody().with("Authorization", "Bearer nonsense"),
		"another scheme":   d.anybody().with("Authorization", "Basic YWxpY2U6YWxpY2U="),
		"an empty cookie":  d.anybody().with("Cookie", "shapegate_session="),
		"a made-up cookie": d.anybody().with("Cookie", "shapegate_session=sgs_"+strings.Repeat("A", 43)),
		"a JWT as cookie":  d.anybody().with("Cookie", "shapegate_session="+d.token("alice", nil)),
		"everybody":        d.as("*"),
		"no subject":       d.as(""),
		"unsigned":         d.anybody().with("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6OTk5OTk5OTk5OX0."),
	} {
		a := r.get("/v1/shapes/documents?offset=-1")
		a.refused(http.StatusUnauthorized, "")
		if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
			t.Errorf("%s: WWW-Authenticate: %s", name, got)
		}
	}
	d.as("alice").with("Authorization", "Bearer x").get("/v1/shapes/documents?offset=-1").refused(http.StatusBadRequest, "authorization")
	// A token in the URL would be in every log on the way.
	d.anybody().get("/v1/shapes/documents?offset=-1&token="+d.token("alice", nil)).refused(http.StatusUnauthorized, "")
	if asked := d.upstream.byReaders(); len(asked) > 0 {
		t.Errorf("Electric was asked %v", asked[0].query)
	}
}
