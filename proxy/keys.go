package proxy

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/schema"
)

// keyUse says what a key of the query is for, as far as reading it depends on that.
type keyUse uint8

const (
	_           keyUse = iota
	once               // read: two values would have two readings
	cacheBuster        // says nothing: it may stand there more than once
	numbered           // once for each number in brackets: params[1]
)

// protocolKeys are the keys that a client may send, besides the params of the
// shape. Every other key is refused by its name: dropped in silence, a misspelled
// filter would be no filter.
var protocolKeys = map[string]keyUse{
	// Where the client is in the log, and how it reads on.
	"offset": once, "handle": once, "live": once, "log": once, "replica": once,
	// Event streams. Version 1 of the client sends both words for them.
	"live_sse": once, "experimental_live_sse": once,
	// The cursor of the last live answer. It keeps caches from answering the next
	// live request with the last, and is read for making the next cursor.
	"cursor": once,

	// The shape at /v1/shape. At /v1/shapes/<name> the path names it, and clients
	// that are used to Electric's URL send the key all the same.
	"table": once,
	// What narrows the shape's columns and rows.
	"columns": once, "where": once, "params": numbered,

	// A subset, for clients that do not send it in a body. The two _expr are the
	// parsed forms of where and order_by, which the client sends beside them.
	"subset__where": once, "subset__order_by": once, "subset__limit": once, "subset__offset": once,
	"subset__where_expr": once, "subset__order_by_expr": once,
	"subset__params": numbered,

	// The client adds these where it was answered from a cache: a random word, and
	// the handle that was must-refetched.
	"cache-buster": cacheBuster, "expired_handle": cacheBuster,
}

// useOf returns what a key is for; it reports false for one of no use.
func useOf(key string) (keyUse, bool) {
	if use, ok := protocolKeys[key]; ok {
		return use, true
	}
	name, _, ok := cutNumber(key)
	return once, ok && protocolKeys[name] == numbered
}

// cutNumber takes params[1] apart.
func cutNumber(key string) (name string, number int, ok bool) {
	name, rest, ok := strings.Cut(key, "[")
	if !ok {
		return name, 0, false
	}
	digits, closed := strings.CutSuffix(rest, "]")
	number, err := strconv.Atoi(digits)
	return name, number, closed && err == nil && number > 0 && strconv.Itoa(number) == digits
}

// checkKeys refuses a key that is neither the protocol's nor a param of the shape.
func checkKeys(q url.Values, def *schema.Guarded) error {
	unknown := ""
	for key := range q {
		if _, ok := useOf(key); !ok && !slices.Contains(def.Params, key) && (unknown == "" || key < unknown) {
			unknown = key
		}
	}
	if unknown != "" {
		return invalid(safeField(unknown), "not a key of the protocol, nor a param of the shape")
	}
	return nil
}

// narrowing is what the query says about the columns and the rows that the client wants of
// those that the shape has, as it came: see narrow.go.
type narrowing struct {
	columns     string // a list; empty: all
	where       string // empty: none
	whereParams map[string]string
}

// key is the key of the query that asks for a narrowing, or empty.
func (n *narrowing) key() string {
	switch {
	case n.where != "":
		return "where"
	case n.columns != "":
		return "columns"
	case len(n.whereParams) > 0:
		return "params"
	}
	return ""
}

func parseNarrowing(q url.Values) (n narrowing, err error) {
	columns, ok := value(q, "columns")
	if n.columns = columns; ok && columns == "" {
		return n, invalid("columns", "not a list of column names, separated by commas")
	}
	n.where, _ = value(q, "where")
	if q.Has("params") {
		return n, invalid("params", "want each by its number, as in params[1]")
	}
	for key := range q {
		name, number, ok := cutNumber(key)
		if !ok || name != "params" {
			continue
		}
		if n.whereParams == nil {
			n.whereParams = make(map[string]string)
		}
		n.whereParams[strconv.Itoa(number)], _ = value(q, key)
	}
	return n, nil
}
