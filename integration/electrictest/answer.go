package electrictest

import (
	"net/http"
	"strings"
)

// answer is the work of answering one request to /v1/shape whose parameters are good.
type answer struct {
	*exchange
	s   *service
	lag *lag // the front's

	p     *params
	def   *definition
	shape *shape
	end   offset // of electric-offset
}

// answer validates the parameters, finds or makes the shape, and answers.
func (s *service) answer(x *exchange, lag *lag, fields map[string]any) {
	errs := make(fieldErrors)
	a := &answer{exchange: x, s: s, lag: lag, p: castParams(fields, errs)}
	var sub *subset
	if a.p != nil {
		a.def, sub = s.define(a.p, fields["subset"], errs)
	}
	if len(errs) > 0 {
		x.invalid(errs)
		return
	}
	// Electric creates the shape in any case, so that it can name its handle.
	a.shape, a.end = s.shape(a.def, a.p, lag)
	switch {
	case a.p.handle != "" && a.p.handle != a.shape.handle:
		x.refetch(a.shape.handle)
	case sub != nil:
		a.serveSubset(sub)
	case a.notModified():
		a.headers(http.StatusNotModified, a.reachesEnd(), true)
		a.w.WriteHeader(http.StatusNotModified)
	case a.p.now:
		a.upToDateAlone()
	default:
		a.serveLog()
	}
}

// define validates what needs the tables: the shape's definition, and a subset's where
// one is asked for. What it returns counts only if there are no errors.
func (s *service) define(p *params, subsetFields any, errs fieldErrors) (*definition, *subset) {
	t := s.db.requested(p.table, errs)
	if t == nil {
		return nil, nil
	}
	def := define(t, p, errs)
	if def == nil {
		return nil, nil
	}
	sub := castSubset(subsetFields, errs)
	if len(errs) > 0 || sub == nil {
		return def, nil
	}
	return def, def.compileSubset(sub, errs)
}

// requested returns the table that a request names; nil if there is none.
func (d *Database) requested(name string, errs fieldErrors) *table {
	rel, err := parseRelation(name)
	if err != nil {
		errs.add("table", err.Error())
		return nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	t, ok := d.catalog.tables[rel]
	if !ok {
		errs.add("table", "Table "+rel.String()+" does not exist. "+
			"If the table name contains capitals or special characters you must quote it.")
	}
	return t
}

// shape returns the shape of a definition, and the offset that an answer from the
// requested one would reach. It makes the shape if there is none.
func (s *service) shape(d *definition, p *params, lag *lag) (sh *shape, end offset) {
	db := s.db
	db.mu.RLock()
	if sh = db.shapes.of(d.identity, lag.limit); sh != nil {
		end = sh.reach(p, lag.limit)
	}
	db.mu.RUnlock()
	if sh == nil {
		db.mu.Lock()
		defer db.mu.Unlock()
		if sh = db.shapes.of(d.identity, lag.limit); sh == nil {
			sh = db.shapes.add(d, db.transactions.fence())
		}
		end = sh.reach(p, lag.limit)
	}
	return sh, end
}

// notModified reports whether the client has the answer already.
func (a *answer) notModified() bool {
	etag := a.etag(false)
	for _, value := range a.r.Header.Values("If-None-Match") {
		for candidate := range strings.SplitSeq(value, ",") {
			if strings.Trim(strings.TrimSpace(candidate), `"`) == etag {
				return true
			}
		}
	}
	return false
}

// reachesEnd reports whether an answer up to a.end would be up to date.
func (a *answer) reachesEnd() bool {
	if a.p.now {
		return true
	}
	a.s.db.mu.RLock()
	defer a.s.db.mu.RUnlock()
	return a.shape.isEnd(a.p.offset, a.end, a.lag.limit)
}
