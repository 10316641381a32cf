package subset

import (
	"math"
	"slices"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// maxTerms bounds a sum: with bounded terms, it cannot overflow.
const maxTerms = 8

// addends are the terms of a sum while it is read.
type addends struct {
	reader  *reader
	terms   []term
	columns int
	float8s int  // float8 columns
	inexact bool // something in it does not fit int8 arithmetic
}

type term struct {
	minus bool
	value node
}

// sum reads a + b - c, however it is grouped. It is computed in int8 if it is made
// of int2 and int4 columns and of integers up to 2^53, else in float8. Neither can
// overflow: eight of the former stay below 2^57; in the latter at most one term,
// the float8 column, is larger than a float4 can be, and what is added to it is
// lost in its rounding long before it could carry it over the edge.
func sum(r *reader, e *pg.A_Expr) (operand, error) {
	a := addends{reader: r}
	if err := a.addOperator(e, false); err != nil {
		return operand{}, err
	}
	if len(a.terms) > 0 && a.terms[0].minus { // -a is 0 - a
		a.terms = slices.Insert(a.terms, 0, term{value: literal{"0"}})
	}
	switch {
	case len(a.terms) < 2 || a.columns == 0:
		return operand{}, refuseWhere("+ and - take two sides, and a column on one of them")
	case a.float8s > 1:
		return operand{}, refuseWhere("+ and - are only allowed with one column of type float8")
	}
	typ := "int8"
	if a.inexact {
		typ = "float8"
	}
	total := cast(a.terms[0].value, typ)
	for _, t := range a.terms[1:] {
		op := "+"
		if t.minus {
			op = "-"
		}
		total = infix(op, total, cast(t.value, typ))
	}
	return operand{node: total, typ: typ}, nil
}

// add adds an expression, or subtracts it.
func (a *addends) add(n *pg.Node, minus bool) error {
	if e := n.GetAExpr(); e != nil {
		return a.addOperator(e, minus)
	}
	o, err := a.operand(n)
	if err != nil {
		return err
	}
	if len(a.terms) == maxTerms {
		return refusef("where", "adds up more than %d terms", maxTerms)
	}
	if c, ok := o.node.(column); ok {
		return a.addColumn(c, o, minus)
	}
	return a.addConstant(o, minus)
}

// operand reads one term: a constant or a column. A column may have a cast that
// only widens it, as this package prints it.
func (a *addends) operand(n *pg.Node) (operand, error) {
	t := n.GetTypeCast()
	if t.GetArg().GetColumnRef() == nil {
		return a.reader.operand(n)
	}
	typ, array, err := typeName(t.TypeName)
	if err != nil {
		return operand{}, err
	}
	o, err := a.reader.scope.column(t.Arg)
	if err != nil {
		return operand{}, err
	}
	f := familyOf(o.typ)
	if o.array || array || f != integer && (f != float || typ != "float8") || typ != "int8" && typ != "float8" {
		return operand{}, errCast()
	}
	return o, nil
}

func (a *addends) addOperator(e *pg.A_Expr, minus bool) error {
	name := operatorName(e)
	switch row := e.Rexpr.GetRowExpr(); {
	case e.Kind != pg.A_Expr_Kind_AEXPR_OP, name != "+" && name != "-":
		return errAddend()
	case e.Lexpr == nil && row == nil:
		return a.add(e.Rexpr, minus != (name == "-"))
	case e.Lexpr != nil:
		if err := a.add(e.Lexpr, minus); err != nil {
			return err
		}
		return a.add(e.Rexpr, minus != (name == "-"))
	case name == "+" && row != nil && row.RowFormat == pg.CoercionForm_COERCE_IMPLICIT_CAST:
		// TanStack DB writes a + b as if + were a function: +("a",$1).
		for _, arg := range row.Args {
			if err := a.add(arg, minus); err != nil {
				return err
			}
		}
		return nil
	}
	return errAddend()
}

func errAddend() error {
	return refuseWhere("+ and - are only allowed for columns of type int2, int4, int8, float4 and float8 and for numbers")
}

func (a *addends) addColumn(c column, o operand, minus bool) error {
	f := familyOf(o.typ)
	if o.array || f != integer && f != float {
		return errAddend()
	}
	a.columns++
	if o.typ == "float8" {
		a.float8s++
	}
	if o.typ != "int2" && o.typ != "int4" {
		a.inexact = true
	}
	a.terms = append(a.terms, term{minus, c})
	return nil
}

func (a *addends) addConstant(o operand, minus bool) error {
	f := familyOf(o.typ)
	if !o.known || o.null || !o.untyped && f != integer && f != float {
		return errAddend()
	}
	if !addable(o.text) {
		return refuse(o.field, "is not a number up to 2^53, which + and - take")
	}
	if !validInteger(o.text, 64) {
		a.inexact = true
	}
	a.terms = append(a.terms, term{minus, literal{o.text}})
	return nil
}

// exact bounds constants in sums: integers up to here are exact as float8, too.
const exact = 1 << 53

// addable reports whether a constant may be part of a sum.
func addable(text string) bool {
	if validInteger(text, 64) {
		n, err := strconv.ParseInt(text, 10, 64)
		return err == nil && -exact <= n && n <= exact
	}
	if !ValidValue("float8", text) {
		return false
	}
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && math.Abs(f) <= exact
}
