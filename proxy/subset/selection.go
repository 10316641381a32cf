package subset

import (
	"slices"
	"strconv"
	"strings"
)

// Selection is what a client asks of rows that are all known here, by their ids: which of
// them, in which order, and how many.
type Selection struct {
	of      idSet // the ids that the where permits
	request *Request
	typ     string
}

// SelectionByID returns a request as a selection of rows by their primary key, a column of
// a type that CanonicalValue knows. Of a where it takes = and <> with a value, IN, = ANY
// and <> ALL of that column, joined by AND, OR and NOT, and "true = true"; of an order that
// column alone. Errors are of type *Error.
func (r *Request) SelectionByID(column, typ string) (*Selection, error) {
	s := &Selection{of: idSet{others: true}, request: r, typ: typ}
	if r.Where != nil {
		var err error
		if s.of, err = (idReader{column, typ}).condition(r.Where.root); err != nil {
			return nil, err
		}
	}
	if o := r.OrderBy; o != nil && (len(o.keys) != 1 || o.keys[0].column != column) {
		return nil, refusef("order_by", "can only be by %s here", shown(column))
	}
	return s, nil
}

// Of returns the selected ones of some ids, which it may reorder.
func (s *Selection) Of(ids []string) []string {
	ids = slices.DeleteFunc(ids, func(id string) bool { return !s.of.has(id) })
	if o := s.request.OrderBy; o != nil {
		slices.SortFunc(ids, s.compare)
		if o.keys[0].descending {
			slices.Reverse(ids)
		}
	}
	if n := s.request.Offset; n != nil {
		ids = ids[min(*n, int64(len(ids))):]
	}
	if n := s.request.Limit; n != nil {
		ids = ids[:min(*n, int64(len(ids)))]
	}
	return ids
}

// compare orders ids as Postgres orders values of the type: texts as with the collation "C".
func (s *Selection) compare(x, y string) int {
	if familyOf(s.typ) != integer {
		return strings.Compare(x, y)
	}
	m, _ := strconv.ParseInt(x, 10, 64) // canonical values of the type
	n, _ := strconv.ParseInt(y, 10, 64)
	switch {
	case m < n:
		return -1
	case m > n:
		return 1
	}
	return 0
}

// idReader reads the conditions of a SelectionByID. The column is never NULL, so that they
// are either true or false. Whoever gets a set from it may change it.
type idReader struct{ column, typ string }

func (r idReader) refuse() error {
	return refusef("where", "only takes conditions on %[1]s here: %[1]s = $1, %[1]s = ANY($1), and these joined by AND, OR and NOT", shown(r.column))
}

func (r idReader) condition(n node) (idSet, error) {
	switch n := n.(type) {
	case word:
		if n != null {
			return idSet{others: n == yes}, nil
		}
	case *expr:
		return r.expr(n)
	}
	return idSet{}, r.refuse()
}

func (r idReader) expr(n *expr) (idSet, error) {
	switch {
	case n.form == infixForm && (n.op == "AND" || n.op == "OR"):
		return r.joined(n.op == "OR", n.args)
	case n.form == prefixForm && n.op == "NOT":
		s, err := r.condition(n.args[0])
		return s.not(), err
	case n == unknown:
		return idSet{}, errNullHere()
	case n.form == infixForm && n.op == "=" && isTruth(n.args[0]) && isTruth(n.args[1]):
		return idSet{others: n.args[0] == n.args[1]}, nil // "true = true" is what TanStack DB asks for all rows with
	case n.form == infixForm && (n.op == "=" || n.op == "<>") && !r.isColumn(n.args[0]) && r.isColumn(n.args[1]):
		return r.expr(newExpr(infixForm, n.op, n.args[1], n.args[0]))
	case !r.isColumn(n.args[0]):
		return idSet{}, r.refuse()
	case n.form == testForm && (n.op == "NULL" || n.op == "NOT NULL"):
		return idSet{others: n.op == "NOT NULL"}, nil
	case n.form == infixForm && n.op == "=", n.form == memberForm && n.op == "IN", n.form == quantifiedForm && n.op == "= ANY":
		return r.anyOf(n)
	case n.form == infixForm && n.op == "<>", n.form == memberForm && n.op == "NOT IN", n.form == quantifiedForm && n.op == "<> ALL":
		s, err := r.anyOf(n)
		return s.not(), err
	}
	return idSet{}, r.refuse()
}

// errNullHere refuses a condition that is neither true nor false for some id.
func errNullHere() error { return refuse("where", "compares with NULL") }

// joined is true where any of the arms is, or, for AND, where none is not.
func (r idReader) joined(or bool, nodes []node) (idSet, error) {
	all, decided := idSet{others: !or}, false
	for _, n := range nodes {
		if n == unknown { // see never and always: another arm decides, whatever the id is
			continue
		}
		s, err := r.condition(n)
		if err != nil {
			return idSet{}, err
		}
		decided = decided || len(s.ids) == 0 && s.others == or
		if or {
			all = all.or(s)
		} else {
			all = all.not().or(s.not()).not()
		}
	}
	if slices.Contains(nodes, unknown) && !decided {
		return idSet{}, errNullHere()
	}
	return all, nil
}

// isTruth reports whether a node is true or false itself.
func isTruth(n node) bool { return n == yes || n == no }

func (r idReader) isColumn(n node) bool {
	c, ok := n.(column)
	return ok && c.name == r.column
}

// anyOf is true for the ids that are among the values which the column is compared with, or
// among the elements of an array.
func (r idReader) anyOf(n *expr) (idSet, error) {
	ids := make(map[string]struct{})
	for _, arg := range n.args[1:] {
		text, ok := textOf(arg)
		if !ok {
			return idSet{}, r.refuse()
		}
		elements := []element{{text: text}}
		if n.form == quantifiedForm {
			var err error
			if elements, err = parseArray(text); err != nil {
				return idSet{}, r.refuse()
			}
		}
		for _, e := range elements {
			if e.null { // a comparison with it is neither true nor false
				return idSet{}, errNullHere()
			}
			if id, ok := CanonicalValue(r.typ, e.text); ok {
				ids[id] = struct{}{}
			}
		}
	}
	return idSet{ids: ids}, nil
}

// textOf returns the text of a constant.
func textOf(n node) (string, bool) {
	if e, ok := n.(*expr); ok && e.form == castForm {
		n = e.args[0]
	}
	switch n := n.(type) {
	case literal:
		return n.text, true
	case *param:
		return n.value, true
	}
	return "", false
}
