// Package subset reads what a client asks of a subset (where, params, order_by,
// limit, offset) and of a log (where, params, columns), and makes of it something
// that is safe to send to Electric. It is pure: no requests are made or answered
// here, and nothing of SpiceDB or of shape definitions is known.
//
// The text that a client sends is never forwarded. A where is read with Postgres'
// own grammar, turned into a small tree of this package by an allow-list that
// denies by default, and printed again from that tree: every operator in
// parentheses, every column quoted and without its table, every constant quoted, the parameters
// numbered anew and without gaps (Electric refuses gaps). An order_by is treated
// the same way. Whatever else a body holds is dropped: keys of a POST body would
// override those of the URL (recording 08).
//
// # What is accepted
//
// All that Electric 1.7.12 has operators and functions for, unless it is listed
// below: comparisons, LIKE and ILIKE, IN, BETWEEN, ANY and ALL, IS, AND, OR, NOT;
// @>, <@, &&, = and subscripts of arrays; + and - within bounds; & | # ~; ||, concat,
// upper, lower, COALESCE, GREATEST, LEAST; casts of constants, and those of columns
// that every value survives. length is accepted for the sake of TanStack DB, which
// emits it, although Electric 1.7.12 has no such function.
//
// # What is refused, and why
//
// The printed where stands beside the filter that keeps a person's rows apart:
//
//	("id" = ANY($1)) AND (<the client's where>)
//
// Postgres may evaluate the arms of an AND in any order, so the client's arm may
// see rows that the client may not. That is harmless as long as the arm only says
// yes or no. An expression that can fail on the data of a row is an oracle: the
// error shows that such a row exists, and a well-chosen condition beside it shows
// what it holds. So no accepted expression can fail because of what a column
// holds. Refused since they can fail:
//
//   - * / % ^ |/ @ << >>: overflow, underflow, division by zero, roots of negative
//     numbers. @ overflows on the least integer.
//   - + and - except over int2, int4, int8, float4 and float8 columns and
//     constants. Those are computed in int8 or float8, wide enough that neither the
//     columns nor the bounded constants can overflow, with at most maxTerms terms
//     and at most one float8 column. A sum that holds an int8 column is computed
//     in float8, and is exact up to 2^53. A numeric can overflow its own format.
//   - Arithmetic with dates, times and intervals, AT TIME ZONE, justify_hours and
//     its like: out of range; infinite dates have no difference.
//   - Casts of columns to anything but a wider type or text: text that is no
//     number, numbers that are out of range.
//   - Comparing a numeric column with a float8 value: the implicit cast overflows.
//     Comparing date, timestamp and timestamptz columns with each other, likewise.
//   - || of arrays, array_cat, array_append and array_prepend: Postgres refuses to
//     join arrays of different dimensions, and a column may hold any.
//   - Joining the text of more than maxJoined columns: the result may exceed the
//     1 GB that a value can have.
//
// Refused since they cost without bound, whatever the rows are:
//
//   - Regular expressions and SIMILAR TO, which Electric has not either: matching
//     in exponential time, and bad patterns fail.
//   - More than maxWhere bytes, maxTokens tokens, maxDepth levels, or references to
//     more than maxUsed bytes of values.
//
// Refused since they speak of something other than the row at hand: subqueries,
// aggregates, window functions, GROUPING, COLLATE, current_user and its like.
//
// Refused since Electric has nothing of the kind, so that its answer would be an
// error: CASE, NULLIF, rows, fields, json and range operators, LIKE … ESCAPE,
// substring, repeat, lpad and all other functions; ordered comparisons of enums,
// booleans and arrays; comparisons of json, bytea and other types without
// operators, and of arrays of enums; and of intervals, of which Electric reads some
// spellings only.
//
// Refused since another form says the same: ARRAY[…] of columns except behind = ANY
// and <> ALL (write OR), slices, array_ndims, arrays in COALESCE.
//
// Three things remain and cannot be seen from here. How long an answer takes may
// depend on rows that are not in it. A text of more than a hundred megabytes can
// make upper, lower, ILIKE, concat and || fail. And two columns of different
// collations fail when they are compared or joined, and one with a nondeterministic
// collation fails in LIKE in Postgres before 18: do not put such columns into a
// shape.
//
// # Values that a column cannot hold
//
// A join in a client asks for the rows of ids that it has just made up, temp-123
// among UUIDs. Electric refuses a whole request for one such value (recording 07).
// So a parameter, or a number in the text, that its column's type cannot hold is
// never sent: a comparison with it becomes one that holds for no row, and is NULL
// where the column is, so that NOT and <> mean what they should. A list or an array
// loses the element. An integer beside a column that cannot hold it has a definite
// order, and so has 1.5. A value that Postgres may hold and Electric does not read,
// such as a date in another notation, is an error that names the parameter; and so
// is a value in a place where it is no side of a comparison. A quoted constant in the
// text is not a value of a user's: it must be of the type, as in Postgres.
//
// Enums are compared as text, since only Postgres knows their labels, and refuses a
// whole request for one that it does not know.
//
// # What Electric's printer forgets
//
// Electric parses the where once more and prints it with libpg_query's printer,
// which leaves out parentheses in places: (a OR b) IS NULL loses them, and with
// them the filter in front. The trees made here avoid those places: where a
// condition is the operand of another operator it is wrapped in COALESCE(…), whose
// parentheses cannot get lost. Each where is also printed and read back once with
// that printer before it is accepted.
//
// # Logs
//
// The where of a log becomes part of its main where, which Electric evaluates itself
// for every change. So ParseNarrowing also refuses what Electric does not evaluate,
// or evaluates otherwise than Postgres; see evaluable.
package subset
