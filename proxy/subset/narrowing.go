package subset

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/schema/predicate"
)

// Narrowing is what a client asks of a log beside the shape's definition: fewer rows
// and fewer columns. The rows are chosen by Electric: the condition becomes part of
// the log's main where.
type Narrowing struct {
	// Columns are those that the client asks for, sorted; nil for all of the shape's.
	Columns []string

	where *Where // nil for all rows
}

// maxNarrowing bounds a condition with its values, in bytes as they stand in a URL.
// They travel in the URL of every read of the log, beside the rest of the shape, and
// Electric takes request lines up to 10,000 bytes (recording 09).
const maxNarrowing = 4000

// ParseNarrowing reads the keys where, params[1], params[2], … and columns of the
// query of a log read. params holds the values by their numbers. table has the columns
// of the shape, and required the ones that no client can do without: those of the
// primary key, which Electric demands, and those of filters.
//
// It is nil if nothing is asked for that the shape does not give anyway. Errors are
// of type *Error; their fields are the keys.
func ParseNarrowing(where string, params map[string]string, list string, table *Table, required []string) (*Narrowing, error) {
	n := &Narrowing{}
	var err error
	if n.Columns, err = narrowColumns(text(list), table.Columns, required); err != nil {
		return nil, err
	}
	if n.where, err = narrowRows(text(where), params, table); err != nil {
		return nil, keyed(err)
	}
	if n.Columns == nil && n.where == nil {
		return nil, nil
	}
	return n, nil
}

func narrowColumns(list string, columns Columns, required []string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names, err := parseColumns(list, columns)
	if err != nil {
		return nil, err
	}
	for _, name := range required {
		if _, found := slices.BinarySearch(names, name); !found {
			return nil, refusef("columns", "must hold the column %s: those of the primary key and of filters are always sent", shown(name))
		}
	}
	if len(names) == len(columns) {
		return nil, nil
	}
	return names, nil
}

func narrowRows(where string, params map[string]string, table *Table) (*Where, error) {
	if where == "" {
		if len(params) > 0 {
			return nil, refuse("params", "belong to a where, and there is none")
		}
		return nil, nil
	}
	values := make(map[int]string, len(params))
	for key, value := range params {
		n, err := paramNumber(key)
		if err != nil {
			return nil, err
		}
		if err := checkParam(n, value); err != nil {
			return nil, err
		}
		values[n] = value
	}
	w, err := parseWhere(where, values, table)
	if err != nil {
		return nil, err
	}
	if err := evaluable(w.root, table.Columns); err != nil {
		return nil, err
	}
	if err := staysWhole(w.root); err != nil {
		return nil, err
	}
	sql, _ := sqlOf(conjunct(w.root), 0)
	size := len(url.QueryEscape(sql))
	for _, v := range w.params {
		size += len("&params[1]=") + len(url.QueryEscape(v))
	}
	if size > maxNarrowing {
		return nil, refusef("where", "is longer than %d bytes with its params", maxNarrowing)
	}
	return w, nil
}

// keyed names a parameter as a query does: params[1].
func keyed(err error) error {
	var e *Error
	if errors.As(err, &e) {
		if n, ok := strings.CutPrefix(e.Field, "params."); ok {
			return &Error{Field: "params[" + n + "]", Message: e.Message}
		}
	}
	return err
}

// SQL returns the condition with its parameters numbered from first on, and their
// values in that order. It is "" for all rows.
//
// The condition stays whole where Electric puts more behind it, and may itself stand
// behind a main where that does, with AND between them: see predicate.Conjunct.
func (n *Narrowing) SQL(first int) (where string, params []string) {
	if n == nil || n.where == nil {
		return "", nil
	}
	return sqlOf(conjunct(n.where.root), first-1)
}

// conjunct returns a condition as predicate.Conjunct prints one.
func conjunct(root node) node {
	if e, ok := root.(*expr); ok && e.form == infixForm && e.op == "OR" {
		return infix("AND", root, yes)
	}
	return root
}

// staysWhole makes sure that a condition survives as part of a main where: alone,
// and behind another.
func staysWhole(root node) error {
	sql := filled(conjunct(root))
	for _, whole := range []string{sql, `"a" = '1' AND ("b" OR "c") AND ` + sql} {
		if predicate.CheckConjunct(whole) != nil {
			return refuseWhere("does not keep its meaning when it is printed")
		}
	}
	return nil
}

// Key returns a text that is the same for two narrowings of one shape if they are
// the same log, and only then. It is "" for nil.
func (n *Narrowing) Key() string {
	if n == nil {
		return ""
	}
	where, params := n.SQL(1)
	var b strings.Builder
	for _, part := range slices.Concat([]string{where}, params, []string{""}, n.Columns) {
		b.WriteString(strconv.Itoa(len(part)))
		b.WriteByte(':')
		b.WriteString(part)
	}
	return b.String()
}
