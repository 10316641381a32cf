// Package predicate reads and prints the boolean SQL expressions that select the
// rows of a shape, with the grammar of Postgres itself.
//
// It answers two questions that both the static where of a shape and the where
// of a client's subset raise: is this text one expression and nothing else, and
// does its meaning survive being printed. Which tables, columns, operators and
// functions an expression may use is for its callers to say, each with a list of
// its own.
//
// The second question is not idle. Electric parses every where, prints it from
// the tree and sends that text to Postgres; and the printer (libpg_query's, the
// one used here too) forgets parentheses in places:
//
//	id = ANY($1) AND ((a OR b) IS NULL)   is printed as   id = ANY($1) AND a OR b IS NULL
//
// which no longer asks for id = ANY($1). Parentheses in the text that is sent do
// not help, since the tree does not keep them. So an expression whose print reads
// back as another tree must never leave: Print refuses it.
package predicate

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrUnprintable says that an expression, once printed, reads back as another.
var ErrUnprintable = errors.New("the expression changes its meaning when it is printed; write it without an operator inside the operand of BETWEEN, IN, LIKE, or IS")

// prefix makes an expression a statement; the printer puts exactly the same in
// front of it again.
const prefix = "SELECT 1 WHERE "

// Parse reads sql, which must be one expression: no second statement, no further
// clause, no comment. Its errors quote parts of sql.
func Parse(sql string) (*pg.Node, error) {
	if err := checkText(sql); err != nil {
		return nil, err
	}
	if _, err := Tokens(sql); err != nil {
		return nil, err
	}
	return parse(sql)
}

// Tokens returns what Postgres' own lexer makes of sql, and refuses comments and
// semicolons. Start and End of a token are byte offsets.
func Tokens(sql string) ([]*pg.ScanToken, error) {
	if err := checkText(sql); err != nil {
		return nil, err
	}
	scan, err := pg.Scan(sql)
	if err != nil {
		return nil, syntaxError(err, 0)
	}
	for _, token := range scan.Tokens {
		switch token.Token {
		case pg.Token_SQL_COMMENT, pg.Token_C_COMMENT:
			return nil, errors.New("comments are not allowed")
		case pg.Token_ASCII_59:
			return nil, errors.New(`";" is not allowed: one expression only`)
		default:
		}
	}
	return scan.Tokens, nil
}

// checkText refuses what would be cut off on the way into the C library, and
// what Postgres could not store.
func checkText(sql string) error {
	switch {
	case strings.TrimSpace(sql) == "":
		return errors.New("the expression is empty")
	case strings.ContainsRune(sql, 0):
		return errors.New("NUL characters are not allowed")
	case !utf8.ValidString(sql):
		return errors.New("the expression is not valid UTF-8")
	}
	return nil
}

func parse(sql string) (*pg.Node, error) {
	tree, err := pg.Parse(prefix + sql)
	if err != nil {
		return nil, syntaxError(err, len(prefix))
	}
	if len(tree.Stmts) != 1 {
		return nil, errors.New("one expression only")
	}
	statement := tree.Stmts[0].GetStmt().GetSelectStmt()
	if statement == nil {
		return nil, errors.New("not an expression")
	}
	// Anything beside the where, and beside what the prefix brings, is a clause
	// that was smuggled in behind the expression: GROUP BY, UNION, LIMIT, FOR.
	extra := ""
	statement.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch field.Name() {
		case "target_list", "where_clause":
			return true
		case "limit_option":
			if value.Enum() == pg.LimitOption_LIMIT_OPTION_DEFAULT.Number() {
				return true
			}
		case "op":
			if value.Enum() == pg.SetOperation_SETOP_NONE.Number() {
				return true
			}
		}
		extra = string(field.Name())
		return false
	})
	if extra != "" {
		return nil, fmt.Errorf("an expression only: %s is not allowed", strings.ReplaceAll(extra, "_", " "))
	}
	if statement.WhereClause == nil || len(statement.TargetList) != 1 {
		return nil, errors.New("not an expression")
	}
	return statement.WhereClause, nil
}

// syntaxError turns the parser's error into one that counts from the start of
// the expression, which is skip characters into what was parsed.
func syntaxError(err error, skip int) error {
	var pgError *parser.Error
	if !errors.As(err, &pgError) {
		return err
	}
	if at := pgError.Cursorpos - skip; at > 0 {
		return fmt.Errorf("%s (character %d)", pgError.Message, at)
	}
	return errors.New(pgError.Message)
}

// Print returns node as SQL that reads back as the same tree, in one line and
// without superfluous parentheses, or ErrUnprintable. This holds too after
// Electric has put the values in place of the parameters.
func Print(node *pg.Node) (string, error) {
	sql, err := printOnce(node)
	if err != nil {
		return "", err
	}
	// Electric prints $1 as 'value'::type, of which the printer makes something
	// of its own in some places.
	for _, array := range []bool{false, true} {
		filled := proto.CloneOf(node)
		fillParams(filled.ProtoReflect(), array)
		if _, err := printOnce(filled); err != nil {
			return "", err
		}
	}
	return sql, nil
}

func printOnce(node *pg.Node) (string, error) {
	tree, err := pg.Parse(prefix + "true")
	if err != nil {
		return "", fmt.Errorf("print expression: %w", err)
	}
	tree.Stmts[0].Stmt.GetSelectStmt().WhereClause = node
	text, err := pg.Deparse(tree)
	if err != nil {
		return "", fmt.Errorf("print expression: %w", err)
	}
	sql, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return "", ErrUnprintable
	}
	again, err := parse(sql)
	if err != nil || !Equal(node, again) {
		return "", ErrUnprintable
	}
	return sql, nil
}

// Equal reports whether a and b are the same expression, wherever they stood in
// their texts.
func Equal(a, b *pg.Node) bool { return equalMessages(a.ProtoReflect(), b.ProtoReflect()) }

func equalMessages(a, b protoreflect.Message) bool {
	equal, fields := true, 0
	a.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Name() == location {
			return true
		}
		fields++
		equal = b.Has(field) && equalValues(field, value, b.Get(field))
		return equal
	})
	if !equal {
		return false
	}
	b.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if field.Name() != location {
			fields--
		}
		return true
	})
	return fields == 0
}

// location is the field of a message that says where in the text it stood.
const location = "location"

func equalValues(field protoreflect.FieldDescriptor, a, b protoreflect.Value) bool {
	switch {
	case field.IsList():
		x, y := a.List(), b.List()
		if x.Len() != y.Len() {
			return false
		}
		for i := range x.Len() {
			if !equalElements(field, x.Get(i), y.Get(i)) {
				return false
			}
		}
		return true
	default:
		return equalElements(field, a, b)
	}
}

func equalElements(field protoreflect.FieldDescriptor, a, b protoreflect.Value) bool {
	if field.Message() == nil {
		return a.Equal(b)
	}
	x, y := a.Message(), b.Message()
	return x.Descriptor() == y.Descriptor() && x.IsValid() == y.IsValid() && equalMessages(x, y)
}

// fillParams puts a cast constant in place of each parameter, as Electric does.
func fillParams(message protoreflect.Message, array bool) {
	if node, ok := message.Interface().(*pg.Node); ok && node.GetParamRef() != nil {
		value := &pg.TypeCast{
			Arg:      pg.MakeAConstStrNode("x", 0),
			TypeName: &pg.TypeName{Names: []*pg.Node{pg.MakeStrNode("text")}, Typemod: -1},
		}
		if array {
			value.TypeName.ArrayBounds = []*pg.Node{{Node: &pg.Node_Integer{Integer: &pg.Integer{Ival: -1}}}}
		}
		node.Node = &pg.Node_TypeCast{TypeCast: value}
		return
	}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		eachMessage(field, value, func(child protoreflect.Message) { fillParams(child, array) })
		return true
	})
}

// eachMessage calls visit with the messages that a field holds. The trees have
// no maps.
func eachMessage(field protoreflect.FieldDescriptor, value protoreflect.Value, visit func(protoreflect.Message)) {
	if field.Message() == nil {
		return
	}
	if !field.IsList() {
		visit(value.Message())
		return
	}
	for list, i := value.List(), 0; i < list.Len(); i++ {
		visit(list.Get(i).Message())
	}
}
