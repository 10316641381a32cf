package subset

import (
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Bounds on the SQL of a client, kept before the parser sees it: the parser, the
// walks over its tree and the printer all recurse, in C and in Go, and cost some
// microseconds for each token.
const (
	// maxWhere bounds a where, in bytes: 3,000 comparisons of a column with a
	// parameter. What is long belongs into parameters.
	maxWhere = 100_000
	// maxOrderBy bounds an order_by: maxSortKeys columns of the longest names.
	maxOrderBy = 8_000
	maxTokens  = 20_000 // an IN list of 10,000 values
	maxDepth   = 500
)

// checkTokens lexes SQL of so many bytes at most with Postgres' own lexer, which does
// not recurse, and refuses what could not be read in one way only, or would nest too deep.
func checkTokens(field, sql string, most int) error {
	switch {
	case len(sql) > most:
		return refusef(field, "is longer than %d bytes", most)
	case strings.IndexByte(sql, 0) >= 0:
		return refuse(field, "holds a NUL character")
	case !utf8.ValidString(sql):
		return refuse(field, "is not valid UTF-8")
	}
	scan, err := pg.Scan(sql)
	if err != nil {
		return refuse(field, "is not one SQL expression")
	}
	if len(scan.Tokens) > maxTokens {
		return refusef(field, "has more than %d tokens", maxTokens)
	}
	depth := depthMeter{}
	for _, t := range scan.Tokens {
		if message := forbidden(t, sql); message != "" {
			return refuse(field, message)
		}
		if depth.add(t.Token) > maxDepth {
			return refuse(field, "is nested too deep")
		}
	}
	return nil
}

func forbidden(t *pg.ScanToken, sql string) string {
	switch t.Token {
	case pg.Token_SQL_COMMENT, pg.Token_C_COMMENT:
		return "holds a comment"
	case pg.Token_ASCII_59:
		return `holds a ";"`
	case pg.Token_USCONST, pg.Token_UIDENT, pg.Token_BCONST, pg.Token_XCONST:
		return "holds a string of another kind than '…'"
	case pg.Token_SCONST:
		if sql[t.Start] != '\'' { // E'…' or $$…$$
			return "holds a string of another kind than '…'"
		}
	}
	return ""
}

// depthMeter bounds how deep the tree of a text can be while it is lexed.
//
// Brackets nest. Beside them, every operator, cast, NOT or IS may put another
// level on top of what came before it or after it: NOT NOT NOT a, a || b || c,
// a IS NULL IS NULL. Such a run ends at AND, OR and a comma, which make lists. So
// the depth is at most the number of open brackets and of the tokens in the runs
// that are not at their ends.
type depthMeter struct {
	open  []int // the runs that the open brackets interrupt
	run   int   // tokens in the present run
	total int   // of all runs, and of the open brackets
}

func (m *depthMeter) add(t pg.Token) int {
	switch t {
	case pg.Token_ASCII_40, pg.Token_ASCII_91: // ( [
		m.open = append(m.open, m.run)
		m.total++
		m.run = 0
	case pg.Token_ASCII_41, pg.Token_ASCII_93: // ) ]
		m.total -= m.run
		m.run = 0
		if n := len(m.open); n > 0 {
			m.run, m.open = m.open[n-1], m.open[:n-1]
			m.total--
		}
	case pg.Token_AND, pg.Token_OR, pg.Token_ASCII_44: // ,
		m.total -= m.run
		m.run = 0
	default:
		m.run++
		m.total++
	}
	return m.total
}
