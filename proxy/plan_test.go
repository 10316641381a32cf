package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// A request that is taken for shorter than it is would be over Electric's limit.
func TestTheSizeOfABodyIsNotUnderestimated(t *testing.T) {
	limit := int64(1<<63 - 1)
	for _, text := range []string{"plain", `"quoted"`, "<&>", "\x01\x02", "\u2028", "é", `\`, "{a,\"b\"}"} {
		for _, times := range []int{1, 1000, electric.MaxBody / 2 / len(text)} {
			long := strings.Repeat(text, times)
			s := electric.Subset{Where: long, Params: map[string]string{"1": long}, OrderBy: `"id"`, Limit: &limit, Offset: &limit}
			body, err := s.Body()
			if err != nil {
				t.Fatal(err)
			}
			if got := bodySize(s); got < len(body) {
				t.Errorf("%d times %q: %d bytes are taken for %d", times, text, len(body), got)
			}
		}
	}
}

// What a client's params leave no room for is refused: it would be sent again with
// every few ids.
func TestLongParamsAndManyIDsAreBounded(t *testing.T) {
	ids := make([]string, 150_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("11111111-1111-4111-8111-%012x", i)
	}
	filter := newFilterArray("id", ids)
	for _, test := range []struct {
		join, parts int // parts 0: refused
	}{{0, 1}, {60_000, 1}, {150_000, 4}, {200_000, 16}, {215_000, 0}} {
		join := make([]string, test.join)
		for i := range join {
			join[i] = ids[i%len(ids)]
		}
		body, err := json.Marshal(map[string]any{"where": "id = ANY($1)", "params": map[string]string{"1": "{" + strings.Join(join, ",") + "}"}})
		if err != nil {
			t.Fatal(err)
		}
		asked, _, err := subset.ParseBody(body, &subset.Table{Columns: subset.Columns{"id": {Type: "uuid"}}})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := planFor(asked, []filterArray{filter}, func(int) []string { return ids })
		var p *problem
		if test.parts == 0 {
			if !errors.As(err, &p) || p.field != "params" || p.kind != unprocessable {
				t.Errorf("%d ids of the client: %d requests, %v", test.join, len(plan), err)
			}
			continue
		}
		if err != nil || len(plan) != test.parts {
			t.Errorf("%d ids of the client: %d requests, %v", test.join, len(plan), err)
		}
	}
}
