package proxy

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// logRequest is what a client asks of a log, or of a subset beside it: the part
// of Electric's protocol that may differ from one client to the next.
type logRequest struct {
	offset    electric.Offset // as it came, with its mark
	hasOffset bool
	handle    string // as it came; empty if none
	live, sse bool
	cursor    string
	log       electric.LogMode
	replica   electric.Replica
	narrowing
}

// parseQuery reads the query of a shape request strictly: a key that stands there
// twice has two readings, unless it says nothing, and what is not text has none. No
// part of a client's query is ever sent on. See checkKeys for unknown keys.
func parseQuery(raw string) (url.Values, error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("query", "the query is not well-formed")
	}
	for key, values := range q {
		if !utf8.ValidString(key) {
			return nil, invalid("query", "the query is not UTF-8")
		}
		if len(values) > 1 && protocolKeys[key] != cacheBuster {
			return nil, invalid(safeField(key), "given more than once")
		}
		for _, v := range values {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return nil, invalid(safeField(key), "not UTF-8 text")
			}
		}
	}
	return q, nil
}

// safeField is key as a field name that an error may repeat.
func safeField(key string) string {
	const longest = 64
	if len(key) > longest {
		return "query"
	}
	return key
}

// parseLogRequest reads what of the query is Electric's protocol. It makes no
// demands yet: those differ between a log and a subset.
func parseLogRequest(q url.Values) (r logRequest, err error) {
	if s, ok := value(q, "offset"); ok {
		if r.offset, err = electric.ParseOffset(s); err != nil {
			return r, invalid("offset", "not an offset of a log")
		}
		r.hasOffset = true
	}
	r.handle, _ = value(q, "handle")
	if r.handle != "" && !cursor.IsText(r.handle) {
		return r, invalid("handle", "not a handle")
	}
	if r.live, err = flag(q, "live"); err != nil {
		return r, err
	}
	for _, key := range []string{"live_sse", "experimental_live_sse"} {
		on, err := flag(q, key)
		if err != nil {
			return r, err
		}
		r.sse = r.sse || on
	}
	if r.cursor, _ = value(q, "cursor"); strings.Trim(r.cursor, "0123456789") != "" || len(r.cursor) > 20 {
		return r, invalid("cursor", "not a cursor")
	}
	switch s, _ := value(q, "log"); s {
	case "", "full":
	case "changes_only":
		r.log = electric.LogChangesOnly
	default:
		return r, invalid("log", `want "full" or "changes_only"`)
	}
	switch s, _ := value(q, "replica"); s {
	case "", "default":
	case "full":
		r.replica = electric.ReplicaFull
	default:
		return r, invalid("replica", `want "default" or "full"`)
	}
	r.narrowing, err = parseNarrowing(q)
	return r, err
}

func value(q url.Values, key string) (string, bool) {
	v, ok := q[key]
	if !ok {
		return "", false
	}
	return v[0], true
}

func flag(q url.Values, key string) (bool, error) {
	switch s, _ := value(q, key); s {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, invalid(key, `want "true" or "false"`)
	}
}

// checkLog makes the demands that Electric makes of a log request (recording 09).
func (r *logRequest) checkLog() error {
	switch {
	case !r.hasOffset:
		return invalid("offset", "can't be blank")
	case r.live && !r.offset.IsPosition():
		return invalid("live", "can't be true when offset is -1 or now")
	case r.sse && !r.live:
		return invalid("live_sse", "can't be true unless live is also true")
	case r.offset.IsPosition() && r.handle == "":
		return invalid("handle", "can't be blank when offset is a position")
	}
	return nil
}

// checkSubset makes the demands on a request for a subset: it is a view of the
// table as it is, so it does not wait. Without an offset, it is as if at "now".
func (r *logRequest) checkSubset() error {
	switch {
	case r.live:
		return invalid("live", "a subset does not wait")
	case r.hasOffset && r.offset.IsPosition() && r.handle == "":
		return invalid("handle", "can't be blank when offset is a position")
	}
	if !r.hasOffset {
		r.offset = electric.Now
	}
	return nil
}

// paramsOf reads the values of a definition's params, each of which the client has
// to give.
func paramsOf(def *schema.Guarded, q url.Values) (map[string]string, error) {
	if len(def.Params) == 0 {
		return nil, nil
	}
	const longest = 1024 // of an object id in SpiceDB
	params := make(map[string]string, len(def.Params))
	for _, name := range def.Params {
		v, ok := value(q, name)
		switch {
		case !ok || v == "":
			return nil, invalid(name, "a value for this param is needed")
		case len(v) > longest:
			return nil, invalid(name, "longer than 1024 bytes")
		}
		params[name] = v
	}
	return params, nil
}
