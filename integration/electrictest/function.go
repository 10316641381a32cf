package electrictest

import (
	"crypto/md5" //nolint:gosec // Postgres' md5(), for test data
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (c *compiler) funcCall(n *pg.FuncCall) (*expr, error) {
	loc := n.Location
	if n.AggStar || n.AggDistinct || n.AggWithinGroup || len(n.AggOrder) > 0 || n.AggFilter != nil || n.Over != nil {
		return nil, sqlErrorf(loc, "aggregation is not supported in this context")
	}
	if n.FuncVariadic {
		return nil, sqlErrorf(loc, "explicit VARIADIC function calls are not currently supported")
	}
	function := name(n.Funcname)
	args, err := c.exprs(n.Args)
	if err != nil {
		return nil, err
	}
	switch fmt.Sprintf("%s/%d", function, len(args)) {
	case "lower/1", "upper/1":
		if err := c.texts(loc, args); err != nil {
			return nil, err
		}
		change := strings.ToLower
		if function == "upper" {
			change = strings.ToUpper
		}
		return strict1(typeText, loc, args[0], func(d datum) datum { return datum{s: change(d.s)} }), nil
	case "like/2":
		return c.match("~~", loc, args[0], args[1])
	case "ilike/2":
		return c.match("~~*", loc, args[0], args[1])
	}
	if function == "concat" && len(args) > 0 {
		return c.concat(loc, args)
	}
	if c.statement {
		return c.statementFunction(function, loc, args)
	}
	return nil, sqlErrorf(loc, "unknown or unsupported function %s/%d", function, len(args))
}

func (c *rules) concat(loc int32, args []*expr) (*expr, error) {
	if err := c.texts(loc, args); err != nil {
		return nil, sqlErrorf(loc, "Could not select a function overload for concat")
	}
	return computed(typeText, loc, args, func(cells []cell) datum {
		var b strings.Builder
		for _, a := range args {
			if v := a.get(cells); !v.null {
				b.WriteString(v.s)
			}
		}
		return datum{s: b.String()}
	}), nil
}

func (c *compiler) coalesce(nodes []*pg.Node, loc int32) (*expr, error) {
	args, err := c.exprs(nodes)
	if err != nil {
		return nil, err
	}
	t, err := c.unify(loc, args)
	if err != nil {
		return nil, sqlErrorf(loc, "Could not select a function overload for coalesce")
	}
	return computed(t, loc, args, func(cells []cell) datum {
		for _, a := range args {
			if v := a.get(cells); !v.null {
				return v
			}
		}
		return sqlNull
	}), nil
}

// extreme is GREATEST(…) or LEAST(…), which ignore NULLs.
func (c *compiler) extreme(n *pg.MinMaxExpr) (*expr, error) {
	args, err := c.exprs(n.Args)
	if err != nil {
		return nil, err
	}
	t, err := c.unify(n.Location, args)
	if err != nil {
		return nil, err
	}
	want := 1
	if n.Op == pg.MinMaxOp_IS_LEAST {
		want = -1
	}
	k := t.kind()
	return computed(t, n.Location, args, func(cells []cell) datum {
		best := sqlNull
		for _, a := range args {
			if v := a.get(cells); !v.null && (best.null || compareDatums(k, v, best) == want) {
				best = v
			}
		}
		return best
	}), nil
}

// statementFunction holds the few functions that test data is written with.
func (c *rules) statementFunction(function string, loc int32, args []*expr) (*expr, error) {
	for i, a := range args {
		var err error
		if args[i], err = c.give(a, typeText); err != nil {
			return nil, err
		}
	}
	volatile := func(t typ, f func() datum) *expr {
		return &expr{typ: t, loc: loc, column: -1, eval: func([]cell) datum { return f() }}
	}
	switch fmt.Sprintf("%s/%d", function, len(args)) {
	case "now/0", "clock_timestamp/0", "statement_timestamp/0":
		return volatile(typ{name: "timestamptz"}, nowDatum), nil
	case "gen_random_uuid/0":
		return volatile(typ{name: "uuid"}, func() datum { return datum{s: randomUUID()} }), nil
	case "md5/1":
		return strict1(typeText, loc, args[0], func(d datum) datum {
			sum := md5.Sum([]byte(d.s)) //nolint:gosec // Postgres' md5(), for test data
			return datum{s: hex.EncodeToString(sum[:])}
		}), nil
	case "length/1":
		return strict1(typeInt4, loc, args[0], func(d datum) datum { return datum{i: int64(utf8.RuneCountInString(d.s))} }), nil
	case "repeat/2":
		return strict2(typeText, loc, args[0], args[1], func(d, n datum) datum {
			return datum{s: strings.Repeat(d.s, int(max(n.i, 0)))}
		}), nil
	case "lpad/3":
		text, width := args[0], args[1]
		return computed(typeText, loc, args, func(cells []cell) datum {
			d, n, fill := text.get(cells), width.get(cells), args[2].get(cells)
			if d.null || n.null || fill.null || fill.s == "" {
				return sqlNull
			}
			missing := max(int(n.i)-utf8.RuneCountInString(d.s), 0)
			pad := []rune(strings.Repeat(fill.s, missing))
			return datum{s: string(pad[:missing]) + d.s}
		}), nil
	default:
		return nil, sqlErrorf(loc, "function %s/%d is not imitated", function, len(args))
	}
}

// clock is CURRENT_TIMESTAMP and its like.
func clock(n *pg.SQLValueFunction) (*expr, error) {
	t := typ{name: "timestamptz"}
	switch n.Op {
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N:
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP, pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		t.name = "timestamp"
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE:
		t.name = "date"
	default:
		return nil, sqlErrorf(n.Location, "%s is not imitated", n.Op)
	}
	return &expr{typ: t, loc: n.Location, column: -1, eval: func([]cell) datum { return nowDatum() }}, nil
}

func nowDatum() datum { return datum{i: time.Now().UnixMicro()} }

func randomUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
