package electrictest

import (
	"fmt"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// call compiles functions, and what is written as one.
type call struct{ *compiler }

func (c call) function(n *pg.FuncCall) (*expr, error) {
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

func (c call) coalesce(nodes []*pg.Node, loc int32) (*expr, error) {
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
func (c call) extreme(n *pg.MinMaxExpr) (*expr, error) {
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
