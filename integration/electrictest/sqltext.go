package electrictest

import (
	"errors"
	"fmt"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// wherePrefix is what Electric puts before a where clause to parse it; locations
// in its errors are counted after it.
const wherePrefix = "SELECT 1 WHERE "

const orderPrefix = "SELECT 1 ORDER BY "

// sqlError is what is wrong with an expression, and where.
type sqlError struct {
	loc int32 // in the text that was parsed; -1 if unknown
	msg string
}

func (e *sqlError) Error() string { return e.msg }

func sqlErrorf(loc int32, format string, args ...any) error {
	return &sqlError{loc, fmt.Sprintf(format, args...)}
}

// located spells an error as Electric does, with prefix taken off its location.
func located(err error, prefix int32) string {
	var e *sqlError
	if errors.As(err, &e) && e.loc >= 0 {
		return fmt.Sprintf("At location %d: %s", max(e.loc-prefix, 0), e.msg)
	}
	return err.Error()
}

// parseSelect parses text and returns its one SELECT.
func parseSelect(text, several string) (*pg.ParseResult, *pg.SelectStmt, error) {
	tree, err := pg.Parse(text)
	if err != nil {
		var pe *parser.Error
		if errors.As(err, &pe) && pe.Cursorpos > 0 {
			return nil, nil, answerTextf("At location %d: %s", pe.Cursorpos-1, pe.Message)
		}
		return nil, nil, err
	}
	if len(tree.Stmts) != 1 || tree.Stmts[0].Stmt.GetSelectStmt() == nil {
		return nil, nil, errors.New(several)
	}
	return tree, tree.Stmts[0].Stmt.GetSelectStmt(), nil
}

// whereClause is a where that was parsed as Electric parses it.
type whereClause struct {
	tree *pg.ParseResult // SELECT WHERE …, without a target list
	node *pg.Node
}

// parseWhere parses a where clause. Like Electric, it glues the text behind
// "SELECT 1 WHERE": clauses that it does not look for, a LIMIT, pass unseen.
func parseWhere(text string) (*whereClause, error) {
	tree, stmt, err := parseSelect(wherePrefix+text, `unescaped ";" causing statement split`)
	if err != nil {
		return nil, err
	}
	if hasOtherClauses(stmt) || len(stmt.SortClause) > 0 || stmt.WhereClause == nil {
		return nil, errors.New("malformed query ending with SQL clauses")
	}
	stmt.TargetList = nil
	stmt.LimitCount, stmt.LimitOffset = nil, nil
	stmt.LimitOption = pg.LimitOption_LIMIT_OPTION_DEFAULT
	return &whereClause{tree, stmt.WhereClause}, nil
}

func hasOtherClauses(s *pg.SelectStmt) bool {
	return len(s.DistinctClause) > 0 || len(s.GroupClause) > 0 || len(s.WindowClause) > 0 ||
		len(s.LockingClause) > 0 || len(s.FromClause) > 0 || s.HavingClause != nil || s.WithClause != nil ||
		s.Op != pg.SetOperation_SETOP_NONE
}

// deparse prints the where from its tree, as Electric does before it sends it to
// Postgres. Parentheses around the whole of it are gone.
func (w *whereClause) deparse() (string, error) {
	text, err := pg.Deparse(w.tree)
	return strings.TrimPrefix(text, "SELECT WHERE "), err
}

// hasSubquery reports whether there is a SELECT anywhere in the where.
func (w *whereClause) hasSubquery() bool {
	found := false
	walk(w.node.ProtoReflect(), func(m protoreflect.Message) {
		if _, ok := m.Interface().(*pg.SubLink); ok {
			found = true
		}
	})
	return found
}

// renumbered returns a copy whose parameters are numbered by more.
func (w *whereClause) renumbered(by int32) *whereClause {
	if by == 0 {
		return w
	}
	tree := proto.Clone(w.tree).(*pg.ParseResult)
	walk(tree.ProtoReflect(), func(m protoreflect.Message) {
		if ref, ok := m.Interface().(*pg.ParamRef); ok {
			ref.Number += by
		}
	})
	return &whereClause{tree, tree.Stmts[0].Stmt.GetSelectStmt().WhereClause}
}

func walk(m protoreflect.Message, visit func(protoreflect.Message)) {
	visit(m)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := range v.List().Len() {
				walk(v.List().Get(i).Message(), visit)
			}
		default:
			walk(v.Message(), visit)
		}
		return true
	})
}

// name joins a qualified name, without the catalog's schema.
func name(parts []*pg.Node) string {
	names := make([]string, 0, len(parts))
	for _, p := range parts {
		names = append(names, p.GetString_().GetSval())
	}
	if len(names) > 1 && names[0] == "pg_catalog" {
		names = names[1:]
	}
	return strings.Join(names, ".")
}
