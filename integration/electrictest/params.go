package electrictest

// params are the parameters of a request to /v1/shape, cast and validated.
type params struct {
	table, where       string
	columns, queryable []string // nil if not given
	params             map[string]string
	replica, log       string
	position
}

// position is where in a log a request goes on, and how it waits for more.
type position struct {
	handle    string
	offset    offset
	now       bool // offset=now
	live, sse bool
}

// castParams reads and validates all that can be without a table.
func castParams(in map[string]any, errs fieldErrors) *params {
	p := &params{replica: "default", log: "full"}
	str := func(field string, into *string) {
		if s, ok := castString(in[field]); !ok {
			errs.add(field, invalid)
		} else if s != nil {
			*into = *s
		}
	}
	str("table", &p.table)
	str("handle", &p.handle)
	str("where", &p.where)
	var rawOffset string
	str("offset", &rawOffset)
	p.columns = castColumns(in, "columns", errs)
	p.queryable = castColumns(in, "queryable_columns", errs)
	castEnum(in, "replica", &p.replica, []string{"default", "full"}, errs)
	castEnum(in, "log", &p.log, []string{"changes_only", "full"}, errs)
	p.params = castParamMap(in["params"], errs)
	p.live = flag(in["live"])
	p.sse = flag(in["live_sse"])
	if in["live_sse"] == nil {
		p.sse = flag(in["experimental_live_sse"])
	}
	if rawOffset == "" && errs["offset"] == nil {
		errs.add("offset", blank)
	}
	if len(errs) > 0 {
		return nil
	}
	p.position.parse(rawOffset, errs)
	if len(errs) == 0 && p.table == "" {
		errs.add("table", blank)
	}
	if len(errs) > 0 {
		return nil
	}
	return p
}

// parse reads the offset, checks handle and live against it, and stops at the first that
// is wrong.
func (p *position) parse(rawOffset string, errs fieldErrors) {
	p.now = rawOffset == "now"
	if !p.now {
		var ok bool
		if p.offset, ok = parseOffset(rawOffset); !ok {
			errs.add("offset", "has invalid format")
			return
		}
	}
	start := p.now || p.offset == beforeAll
	switch {
	case start:
		p.handle = ""
	case p.handle == "":
		errs.add("handle", "can't be blank when offset != -1")
		return
	}
	switch {
	case p.live && p.now:
		errs.add("live", "can't be true when offset is 'now'")
	case p.live && start:
		errs.add("live", "can't be true when offset == -1")
	case p.sse && !p.live:
		errs.add("live_sse", "can't be true unless live is also true")
	}
}
