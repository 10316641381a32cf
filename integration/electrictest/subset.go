package electrictest

import (
	"math/rand/v2"
	"strconv"
)

// subset is a subset request, compiled.
type subset struct {
	where   *condition // the main where and the subset's, as Electric joins them
	orderBy []sortKey
	limit   int64 // below 0: none
	offset  int64
}

// compileSubset validates a subset. Only queryable columns may be named in it.
func (d *definition) compileSubset(p *subsetParams, errs fieldErrors) *subset {
	sub := make(fieldErrors)
	s := &subset{limit: -1}
	scope := d.table.scope(d.queryable)
	var own *condition
	var err error
	field := "order_by"
	if p.orderBy != nil {
		s.orderBy, err = parseOrderBy(*p.orderBy, scope)
	}
	if err == nil && p.where != nil {
		if field = "where"; validateParams(p.params) != "" {
			sub.add("params", validateParams(p.params))
			errs["subset"] = sub
			return nil
		}
		own, err = compileCondition(*p.where, p.params, scope, "Subqueries are not allowed in subsets")
	}
	if err == nil {
		// What Postgres is sent speaks of the whole table again.
		s.where, err = d.where.and(own, d.table.scope(nil))
	}
	if err != nil {
		sub.add(field, err.Error())
		errs["subset"] = sub
		return nil
	}
	if p.limit != nil {
		s.limit = *p.limit
	}
	if p.offset != nil {
		s.offset = *p.offset
	}
	return s
}

// serveSubset answers with the rows as they are now. Rows that a look-up by
// primary key finds are not searched for.
func (a *answer) serveSubset(s *subset) {
	db, t := a.s.db, a.def.table
	db.mu.RLock()
	fence, wal := db.transactions.fence(), db.wal
	var all view
	var found []*row
	byKey := s.where != nil && s.where.expr.ids != nil && len(s.where.expr.ids.texts) <= t.rows.live
	if byKey {
		found = t.lookup(s.where.expr.ids)
	} else {
		all = t.rows.view()
	}
	db.mu.RUnlock()

	h := a.w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Electric-Snapshot", "true")
	h.Set("Electric-Handle", a.shape.handle)
	if !a.p.live {
		h.Set("Electric-Schema", t.schemaHeader(a.def.selected))
	}
	h.Set("Electric-Offset", a.end.String())
	out := newStream(a.w, a.r, jsonType)
	mark := strconv.FormatInt(rand.Int64N(1<<31), 10) //nolint:gosec // no secret
	out.text(`{"metadata":{` + fence + `,"snapshot_mark":` + mark +
		`,"database_lsn":"` + strconv.FormatInt(wal, 10) + `"}, "data": [`)

	rows := rowSender{out: out, def: a.def, headers: `,"snapshot_mark":` + mark + "}", skip: s.offset, limit: s.limit}
	switch {
	case len(s.orderBy) > 0:
		matching := found[:0:0]
		each(byKey, found, all, func(r *row) bool {
			if s.where.holds(r) {
				matching = append(matching, r)
			}
			return true
		})
		sortRows(matching, s.orderBy)
		for _, r := range matching {
			if !rows.send(r) {
				break
			}
		}
	default:
		each(byKey, found, all, func(r *row) bool { return !s.where.holds(r) || rows.send(r) })
	}
	out.text("]}")
	out.flush()
}

// each calls do for the found rows or for all of a view, until it returns false.
func each(byKey bool, found []*row, all view, do func(*row) bool) {
	if byKey {
		for _, r := range found {
			if !do(r) {
				return
			}
		}
		return
	}
	for _, r := range all.all() {
		if !do(r) {
			return
		}
	}
}

// rowSender writes the rows of a subset within its limit and offset.
type rowSender struct {
	out     *stream
	def     *definition
	headers string
	skip    int64
	limit   int64
	sent    int64
}

// send reports whether there is room for more.
func (s *rowSender) send(r *row) bool {
	if s.skip > 0 {
		s.skip--
		return true
	}
	if s.limit >= 0 && s.sent >= s.limit {
		return false
	}
	if s.sent++; s.sent > 1 {
		s.out.text(",")
	}
	s.out.buf = s.def.appendSnapshotRow(s.out.buf, r, s.headers)
	return s.out.full()
}
