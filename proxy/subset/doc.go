// Package subset reads what a client asks of a subset (where, params, order_by,
// limit, offset) and makes of it something that is safe to send to Electric. It
// is pure: no requests are made or answered here, and nothing of SpiceDB or of
// shape definitions is known.
//
// The text that a client sends is never forwarded. A where is read with Postgres'
// own grammar, turned into a small tree of this package by an allow-list that
// denies by default, and printed again from that tree: every operator in
// parentheses, every column quoted, every constant quoted, the parameters
// numbered anew and without gaps (Electric refuses gaps). An order_by is treated
// the same way. Whatever else a body holds is dropped: keys of a POST body would
// override those of the URL (recording 08).
//
// # Why so much is refused
//
// The printed where stands beside the filter that keeps a person's rows apart:
//
//	("id" = ANY($1)) AND (<the client's where>)
//
// Postgres may evaluate the arms of an AND in any order, so the client's arm may
// see rows that the client may not. That is harmless as long as the arm only says
// yes or no. An expression that can fail on the data of a row is an oracle: the
// error tells that such a row exists, and a well-chosen condition beside it tells
// what it holds. So no accepted expression can fail because of what a column
// holds, and these are refused:
//
//   - / % ^ * and the other arithmetic operators: division by zero, overflow.
//   - + and - except over int2, int4, int8, float4 and float8 columns and
//     constants. They are computed in int8 or float8, wide enough that neither the
//     columns nor the bounded constants can overflow, with at most maxTerms terms
//     and at most one float8 column. A sum that holds an int8 column is computed
//     in float8, and is exact up to 2^53.
//   - Arithmetic with dates, times and intervals: out of range.
//   - Casts of columns: text that is no number, numbers that are out of range.
//   - Comparing a numeric column with a float8 value: the implicit cast overflows.
//     Comparing date, timestamp and timestamptz columns with each other, likewise.
//   - LIKE with a pattern that is no constant, or that ends in an escape character
//     (Postgres complains only once it has matched that far), and LIKE … ESCAPE.
//   - Regular expressions, SIMILAR TO, substring, repeat, lpad and every function
//     but upper, lower, length, concat and coalesce: bad patterns, bad positions,
//     matching in exponential time, results too long for memory.
//   - Joining the text of more than maxJoined columns: the result may exceed the
//     1 GB that a value can have.
//   - Subscripts, slices, fields, rows, json and range operators, CASE: they bring
//     more ways to fail than use.
//   - Subqueries, aggregates, window functions, GROUPING, COLLATE, AT TIME ZONE,
//     current_user and its like, and whatever else is not on the list: they speak
//     of something other than the row at hand.
//   - Ordered comparisons of enums and booleans, comparisons of json, bytea,
//     interval and other types without a plain order: Electric has no operator for
//     them.
//
// Three things remain and cannot be seen from here. How long an answer takes may
// depend on rows that are not in it. A text of more than a hundred megabytes can
// make upper, lower, ILIKE, concat and || fail. And a column with a
// nondeterministic collation makes LIKE fail in Postgres before 18: do not put
// such a column into a shape.
//
// # What Electric's printer forgets
//
// Electric parses the where once more and prints it with libpg_query's printer,
// which leaves out parentheses in places: (a OR b) IS NULL loses them, and with
// them the filter in front. The trees made here avoid those places: where a
// condition is the operand of another operator it is wrapped in COALESCE(…), whose
// parentheses cannot get lost. Each where is also printed and read back once with
// that printer before it is accepted.
package subset
