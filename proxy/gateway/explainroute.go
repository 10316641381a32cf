package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/schema"
)

const (
	// mostExplained is how many explanations are made at the same time: each is some calls
	// to SpiceDB that no cache answers.
	mostExplained = 4
	explainTime   = 30 * time.Second
)

// explainKeys are the keys of the query that /explain reads.
var explainKeys = []string{"subject", "shape", "id", "claim", "param", "ip", "format"}

// explainRoute serves /explain.
type explainRoute struct {
	explainer *Explainer
	places    chan struct{}
}

func newExplainRoute(x *Explainer) *explainRoute {
	return &explainRoute{explainer: x, places: make(chan struct{}, mostExplained)}
}

// ServeHTTP answers with an explanation in JSON or, with format=text, as a text.
func (x *explainRoute) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case x.places <- struct{}{}:
		defer func() { <-x.places }()
	default:
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusServiceUnavailable, errorBody{"unavailable", "other explanations are being made: ask again"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), explainTime)
	defer cancel()
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, errorBody{"bad_request", "the query is not well-formed"})
		return
	}
	e, err := x.explain(ctx, q)
	switch {
	case IsInvalid(err):
		writeJSON(w, http.StatusBadRequest, errorBody{"bad_request", message(err)})
	case err != nil:
		writeJSON(w, http.StatusServiceUnavailable, errorBody{"unavailable", reason(err)})
	case q.Get("format") == "text":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, e.String())
	default:
		writeJSON(w, http.StatusOK, e)
	}
}

type errorBody struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

// explain reads the question from a query, and answers it.
func (x *explainRoute) explain(ctx context.Context, q url.Values) (*explain.Explanation, error) {
	for key, values := range q {
		if !slices.Contains(explainKeys, key) {
			return nil, invalid("%q is none of the keys %s%s", key, strings.Join(explainKeys, ", "), schema.DidYouMean(key, explainKeys))
		}
		if len(values) > 1 && !slices.Contains([]string{"id", "claim", "param"}, key) {
			return nil, invalid("%s is given more than once", key)
		}
	}
	who, err := ParseReader(q.Get("subject"), q["claim"], q["param"], q.Get("ip"))
	if err != nil {
		return nil, err
	}
	return x.explainer.Explain(ctx, who, q.Get("shape"), q["id"])
}

// message is an Invalid error without what was being done.
func message(err error) string {
	var e *authz.Error
	if errors.As(err, &e) && e.Err != nil {
		return fmt.Sprint(e.Err)
	}
	return err.Error()
}
