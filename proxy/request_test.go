package proxy

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatNarrowsALogReadIsRead(t *testing.T) {
	for _, tt := range []struct {
		query   string
		columns string
		where   string
		params  map[string]string
		field   string // of the error; empty: none
	}{
		{query: "offset=-1"},
		{query: "columns=id,title", columns: "id,title"},
		{query: "where=title=$1&params[1]=a&params[12]=", where: "title=$1", params: map[string]string{"1": "a", "12": ""}},
		{query: "columns=", field: "columns"},
		{query: `params={"1":"a"}`, field: "params"},
		{query: "params[1]=a&params[1]=b", field: "params[1]"},
	} {
		values, err := parseQuery(url.PathEscape(tt.query))
		var r logRequest
		if err == nil {
			r, err = parseLogRequest(values)
		}
		if tt.field != "" {
			if p := problemOf(err); err == nil || p.kind != badRequest || p.field != tt.field {
				t.Errorf("%s: error = %v, want one of the field %s", tt.query, err, tt.field)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
		}
		if diff := cmp.Diff(narrowing{tt.columns, tt.where, tt.params}, r.narrowing, cmp.AllowUnexported(narrowing{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.query, diff)
		}
	}
}
