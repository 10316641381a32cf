package subset

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxBody is the length in bytes up to which the body of a request is read. It is
// Electric's own bound (recording 07): a join may ask for 200,000 ids.
const MaxBody = 8_000_000

// Request is what a client asks of a subset, checked. The zero Request asks for
// every row.
type Request struct {
	Where   *Where   // nil: every row
	OrderBy *OrderBy // nil: in no order
	Limit   *int64   // at least 1; only with OrderBy
	Offset  *int64   // at least 0; only with OrderBy
}

// UpstreamParams returns the values of the parameters that Where prints, by their
// numbers in Where.SQL(shift): from shift+1 on, without gaps. What a client sends
// beside those goes nowhere.
func (r *Request) UpstreamParams(shift int) map[string]string {
	if r.Where == nil {
		return nil
	}
	params := make(map[string]string, len(r.Where.params))
	for i, value := range r.Where.params {
		params[strconv.Itoa(shift+i+1)] = value
	}
	return params
}

// fields is a request as it was sent, its scalars decoded.
type fields struct {
	where, orderBy string // empty: not asked for
	params         map[int]string
	limit, offset  *int64
}

func (f *fields) request(table *Table) (*Request, error) {
	if f.orderBy == "" && (f.limit != nil || f.offset != nil) {
		return nil, refuse("order_by", "is required where limit or offset is given")
	}
	r := &Request{Limit: f.limit, Offset: f.offset}
	var err error
	if f.where != "" {
		if r.Where, err = parseWhere(f.where, f.params, table); err != nil {
			return nil, err
		}
	}
	if f.orderBy != "" {
		if r.OrderBy, err = parseOrderBy(f.orderBy, table); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// text takes where and order_by. Blank counts as absent, as it does for Electric.
func text(s string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return s
}

// row takes limit and offset: an integer in digits. Electric casts strings of
// digits, so they are taken, too.
func row(field, s string, least int64) (*int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || !isDigit(s[0]) && s[0] != '-':
		return nil, refuse(field, "is not an integer")
	case n < least:
		return nil, refusef(field, "must be at least %d", least)
	}
	return &n, nil
}

const (
	leastLimit  = 1
	leastOffset = 0
)

// maxParam is the highest number of a parameter, as in Postgres.
const maxParam = 65535

// paramNumber reads the key of a parameter.
func paramNumber(key string) (int, error) {
	n, err := strconv.Atoi(key)
	if err != nil || n < 1 || n > maxParam || key != strconv.Itoa(n) {
		return 0, refusef("params", "%s is not the number of a parameter", shown(key))
	}
	return n, nil
}

func paramField(n int) string { return "params." + strconv.Itoa(n) }

func checkParam(n int, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return refuse(paramField(n), "holds a NUL character")
	}
	if !utf8.ValidString(value) {
		return refuse(paramField(n), "is not valid UTF-8")
	}
	return nil
}
