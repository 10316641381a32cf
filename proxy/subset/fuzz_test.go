package subset_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema/predicate"
)

// armsOf returns the arms of an expression that is an AND.
func armsOf(t testing.TB, sql string) []*pg.Node {
	t.Helper()
	node, err := predicate.Parse(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	and := node.GetBoolExpr()
	if and == nil || and.Boolop != pg.BoolExprType_AND_EXPR {
		t.Fatalf("%s is no AND", sql)
	}
	return and.Args
}

// printedKinds are the only messages that the tree of a printed where may hold.
var printedKinds = map[protoreflect.Name]bool{
	"Node": true, "String": true, "Integer": true, "Boolean": true, "List": true,
	"ColumnRef": true, "ParamRef": true, "A_Const": true, "TypeCast": true, "TypeName": true,
	"BoolExpr": true, "NullTest": true, "BooleanTest": true, "A_Expr": true, "CoalesceExpr": true, "FuncCall": true,
	"MinMaxExpr": true, "A_Indirection": true, "A_Indices": true,
}

var printedOperators = []string{"=", "<>", "<", "<=", ">", ">=", "+", "-", "||", "~~", "!~~", "~~*", "!~~*",
	"@>", "<@", "&&", "&", "|", "#", "~"}

// checkSafe checks a printed where against the promises that matter, by means of
// its own: one boolean expression that stays in one piece beside a filter, in the
// text that is sent and in the text that Electric makes of it, and that speaks of
// nothing but the columns.
func checkSafe(t testing.TB, sql string) {
	t.Helper()
	alone, err := predicate.Parse(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	glued := `("a" = ANY($1)) AND (` + sql + `)`
	whole, err := predicate.Parse(glued)
	if err != nil {
		t.Fatalf("%s: %v", glued, err)
	}
	reprinted, err := predicate.Print(whole)
	if err != nil {
		t.Fatalf("%s: %v", glued, err)
	}
	for _, text := range []string{glued, reprinted} {
		arms := armsOf(t, text)
		if len(arms) != 2 || !predicate.Equal(arms[1], alone) {
			t.Fatalf("%s does not have %s as its second arm", text, sql)
		}
	}
	checkMessages(t, sql, alone.ProtoReflect())
}

func checkMessages(t testing.TB, sql string, m protoreflect.Message) {
	t.Helper()
	if !printedKinds[m.Descriptor().Name()] {
		t.Fatalf("%s holds a %s", sql, m.Descriptor().Name())
	}
	switch n := m.Interface().(type) {
	case *pg.ColumnRef:
		if _, ok := columns[n.Fields[0].GetString_().GetSval()]; !ok || len(n.Fields) != 1 {
			t.Fatalf("%s names a column %v", sql, n.Fields)
		}
	case *pg.FuncCall:
		if name := n.Funcname[0].GetString_().GetSval(); len(n.Funcname) != 1 || !slices.Contains([]string{"upper", "lower", "length", "concat"}, name) {
			t.Fatalf("%s calls %s", sql, name)
		}
	case *pg.A_Expr:
		if name := n.Name[0].GetString_().GetSval(); len(n.Name) != 1 || !slices.Contains(printedOperators, name) {
			t.Fatalf("%s uses the operator %s", sql, name)
		}
	case *pg.TypeCast:
		if c := n.Arg.GetColumnRef(); c != nil {
			to := n.TypeName.Names[len(n.TypeName.Names)-1].GetString_().GetSval()
			if from := columns[c.Fields[0].GetString_().GetSval()].Type; !widens(from, to) {
				t.Fatalf("%s casts %s to %s", sql, from, to)
			}
		}
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				checkMessages(t, sql, v.List().Get(i).Message())
			}
		default:
			checkMessages(t, sql, v.Message())
		}
		return true
	})
}

// widens reports whether a cast cannot fail, whatever the value.
func widens(from, to string) bool {
	switch to {
	case "int4":
		return from == "int2" || from == "bool"
	case "int8":
		return from == "int2" || from == "int4"
	case "float4":
		return from == "int2" || from == "int4" || from == "int8"
	case "float8":
		return from == "int2" || from == "int4" || from == "int8" || from == "float4" || from == "float8"
	case "bool":
		return from == "int4"
	case "varchar":
		return from == "text" || from == "bpchar"
	case "text":
		return from != "jsonb" && from != "bytea" && from != "timestamptz"
	}
	return false
}

func FuzzWhere(f *testing.F) {
	for _, c := range compiled(f) {
		if c.Where != "" {
			f.Add(c.Where, c.Params["1"], c.Params["2"], c.Params["3"])
		}
	}
	for _, seed := range []string{
		`a OR b`, `true) or (true`, `(done OR points = 1) IS NULL`, `title LIKE '%\\'`, `points BETWEEN 1 AND $1`,
		`title = ANY(ARRAY['a', $1])`, `points + 1 - $1 > big`, `title || $1 ILIKE 'x'`, `points IN (1, 2, NULL)`,
		`"Docs"."title" = $1 AND app."Docs".tags[1] = "Docs"."app"`, `title = U&'a'`, `title = $$a$$`, `done IS NOT UNKNOWN`, `NOT done IS DISTINCT FROM (NOT done)`,
		`tags @> ARRAY[$1] OR $2 <@ tags`, `tags = $2 AND NOT codes && tags`, `mood::text LIKE 'h%'`, `mood IN ($1, 'x')`,
		`tags[1] = $1 AND scores[-1] IS NULL`, `title LIKE owner`, `title NOT ILIKE $1 || owner`, `title LIKE 'a\\'`, `points < ALL($2) OR title LIKE ANY($2)`,
		`NOT (id = $1) AND id <> ALL($2)`, `$1 IN (title, owner)`, `points & 4 = 4 OR ~small = -1`, `greatest(points, 1.5) > -points`,
		`points BETWEEN SYMMETRIC 1.5 AND $1`, `id = '` + id1 + `'::uuid`, `day > date '2026-01-01'`, `coalesce(done, NULL) OR 't'`, `+("points",$1) > 3`,
	} {
		f.Add(seed, "1", "{a,b}", "true")
	}
	f.Fuzz(func(t *testing.T, where, p1, p2, p3 string) {
		body, err := json.Marshal(map[string]any{"where": where, "params": values(p1, p2, p3)})
		if err != nil {
			return
		}
		r, ok, err := subset.ParseBody(body, table)
		if err != nil {
			checkIsRefusal(t, err)
			return
		}
		if !ok || r.Where == nil {
			return
		}
		sql := r.Where.SQL(0)
		checkSafe(t, sql)
		again, err := parseWhere(t, sql, asked(r.UpstreamParams(0)))
		if err != nil {
			t.Fatalf("%q was printed as %q, which is refused: %v", where, sql, err)
		}
		if again.Where.SQL(7) != r.Where.SQL(7) {
			t.Fatalf("%q was printed as %q, and then as %q", where, sql, again.Where.SQL(0))
		}
	})
}

func checkIsRefusal(t testing.TB, err error) {
	t.Helper()
	refused, ok := err.(*subset.Error)
	if !ok {
		t.Fatalf("%v is not an *Error", err)
	}
	known := []string{"body", "subset", "where", "params", "limit", "offset", "order_by"}
	if field, _, _ := strings.Cut(refused.Field, "."); !slices.Contains(known, field) {
		t.Fatalf("%q is not a field", refused.Field)
	}
	if refused.Message == "" || len(refused.Message) > 200 || strings.ContainsAny(refused.Message, "\n\x00") {
		t.Fatalf("the message %q is not for clients", refused.Message)
	}
}

func FuzzOrderBy(f *testing.F) {
	for _, seed := range []string{
		`title`, `"title" DESC`, `title ASC NULLS FIRST, "id" DESC NULLS LAST`, `1`, `title; drop table x`, `title LIMIT 1`,
		`lower(title)`, `title USING <`, `"we""ird"`, `title COLLATE "C"`, `title -- x`, `"dueBy"`,
		`"Docs"."title" DESC, app."Docs".id`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, order string) {
		body, err := json.Marshal(map[string]any{"order_by": order})
		if err != nil {
			return
		}
		r, ok, err := subset.ParseBody(body, table)
		if err != nil {
			checkIsRefusal(t, err)
			return
		}
		if !ok || r.OrderBy == nil {
			return
		}
		sql := r.OrderBy.SQL()
		tree, err := pg.Parse("SELECT 1 ORDER BY " + sql)
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", order, sql, err)
		}
		for _, n := range tree.Stmts[0].Stmt.GetSelectStmt().SortClause {
			ref := n.GetSortBy().Node.GetColumnRef()
			if _, known := columns[ref.GetFields()[0].GetString_().GetSval()]; !known || len(ref.Fields) != 1 {
				t.Fatalf("%q sorts by %v", sql, ref)
			}
		}
		again, _, err := subset.ParseBody(bodyOf(t, map[string]any{"order_by": sql}), table)
		if err != nil || again.OrderBy.SQL() != sql {
			t.Fatalf("%q was printed as %q, which reads as another: %v", order, sql, err)
		}
	})
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, ` {"where":"true"} `, `{"where":"title = $1","params":{"1":"a"},"limit":1,"offset":"2","order_by":"id"}`,
		`{"where":null}`, `{"table":"x","columns":["a"],"secret":1}`, `{"subset":{}}`, `[1]`, `null`, `{"where":1}`,
		`{"where":"a","where":"b"}`, `{"params":{"01":"a"}}`, `{"params":{"1":[1]}}`, `{"where_expr":[[[{}]]]}`,
		`{"where":"\ud800"}`, "{\"where\":\"\xff\"}", `{"limit":1e3}`, `{"offset":"-1"}`, `{} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, ok, err := subset.ParseBody(body, table)
		if (r != nil) != ok || err != nil && ok {
			t.Fatalf("%q: %v, %v, %v", body, r, ok, err)
		}
		if err != nil {
			checkIsRefusal(t, err)
			return
		}
		if !ok {
			return
		}
		if (r.Limit != nil || r.Offset != nil) && r.OrderBy == nil {
			t.Fatalf("%q: limit or offset without an order", body)
		}
		if r.Limit != nil && *r.Limit < 1 || r.Offset != nil && *r.Offset < 0 {
			t.Fatalf("%q: limit or offset out of range", body)
		}
		if r.Where != nil {
			checkSafe(t, r.Where.SQL(1))
		}
	})
}
