package subset_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"github.com/shapegate/shapegate/proxy/subset"
)

// columns has a column of every type that matters.
var columns = subset.Columns{
	"id": {Type: "uuid"}, "title": {Type: "text"}, "owner": {Type: "varchar"}, "code": {Type: "bpchar"},
	"done": {Type: "bool"}, "points": {Type: "int4"}, "small": {Type: "int2"}, "big": {Type: "int8"},
	"price": {Type: "float8"}, "cost": {Type: "float8"}, "ratio": {Type: "float4"}, "amount": {Type: "numeric"},
	"created_at": {Type: "timestamptz"}, "starts": {Type: "timestamp"}, "day": {Type: "date"}, "at": {Type: "time"},
	"dueBy": {Type: "timestamptz"}, "mood": {Type: "mood"}, "meta": {Type: "jsonb"}, "raw": {Type: "bytea"},
	"span": {Type: "interval"}, "tags": {Type: "text", Dims: 1}, "scores": {Type: "int4", Dims: 1},
	"metas": {Type: "jsonb", Dims: 1}, "codes": {Type: "varchar", Dims: 1}, "totals": {Type: "int8", Dims: 1}, "moods": {Type: "mood", Dims: 1}, `we"ird`: {Type: "text"}, "name": {Type: "text"}, "Über": {Type: "text"},
}

// table has a name that needs quotes.
var table = &subset.Table{Schema: "app", Name: "Docs", Columns: columns}

type params map[string]any

// values makes params of values: the first is $1.
func values(list ...any) params {
	p := params{}
	for i, v := range list {
		p[strconv.Itoa(i+1)] = v
	}
	return p
}

func bodyOf(t testing.TB, members map[string]any) []byte {
	t.Helper()
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func parseWhere(t testing.TB, where string, p params) (*subset.Request, error) {
	t.Helper()
	r, ok, err := subset.ParseBody(bodyOf(t, map[string]any{"where": where, "params": p}), table)
	if err == nil && (!ok || r.Where == nil) {
		t.Fatalf("%s: no where was read", where)
	}
	return r, err
}

// asked turns what goes upstream into what a client may send.
func asked(upstream map[string]string) params {
	p := params{}
	for k, v := range upstream {
		p[k] = v
	}
	return p
}

// checkRefused checks that an error is one for clients, and names the field.
func checkRefused(t *testing.T, err error, field, message string) {
	t.Helper()
	var refused *subset.Error
	if !errors.As(err, &refused) {
		t.Errorf("got %v, want an *Error for %s", err, field)
		return
	}
	if refused.Field != field || refused.Message != message {
		t.Errorf("got %q: %q, want %q: %q", refused.Field, refused.Message, field, message)
	}
	if len(refused.Message) > 200 {
		t.Errorf("a message of %d bytes", len(refused.Message))
	}
}
