package electrictest

import (
	"crypto/md5" //nolint:gosec // Postgres' md5(), for test data
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	pg "github.com/pganalyze/pg_query_go/v6"
)

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
	case "now/0":
		return volatile(typ{name: "timestamptz"}, nowDatum), nil
	case "gen_random_uuid/0":
		return volatile(typ{name: "uuid"}, func() datum { return datum{s: randomUUID()} }), nil
	case "md5/1":
		return strict1(typeText, loc, args[0], func(d datum) datum {
			sum := md5.Sum([]byte(d.s)) //nolint:gosec // Postgres' md5(), for test data
			return datum{s: hex.EncodeToString(sum[:])}
		}), nil
	case "repeat/2":
		return strict2(typeText, loc, args[0], args[1], func(d, n datum) datum {
			return datum{s: strings.Repeat(d.s, int(max(n.i, 0)))}
		}), nil
	default:
		return nil, sqlErrorf(loc, "function %s/%d is not imitated", function, len(args))
	}
}

// clock is CURRENT_TIMESTAMP and CURRENT_DATE.
func clock(n *pg.SQLValueFunction) (*expr, error) {
	t := typ{name: "timestamptz"}
	switch n.Op {
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP:
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
