package subset

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// isConstant reports whether an expression is a constant or a parameter.
func isConstant(n *pg.Node) bool { return n.GetAConst() != nil || n.GetParamRef() != nil }

func constantOf(c *pg.A_Const) (operand, error) {
	o := operand{untyped: true, fixed: true, constant: constant{known: true, field: "where"}}
	if c.Isnull {
		o.node, o.null = null, true
		return o, nil
	}
	switch v := c.Val.(type) {
	case *pg.A_Const_Boolval:
		o.node, o.typ, o.untyped = boolWord(v.Boolval.Boolval), "bool", false
		o.text = strconv.FormatBool(v.Boolval.Boolval)
		return o, nil
	case *pg.A_Const_Ival:
		o.text, o.number = strconv.Itoa(int(v.Ival.Ival)), true
	case *pg.A_Const_Fval:
		o.text, o.number = withZeros(v.Fval.Fval), true
	case *pg.A_Const_Sval:
		o.text = v.Sval.Sval
	default:
		return operand{}, refuseWhere("a bit string is not allowed")
	}
	o.node = literal{o.text}
	return o, nil
}

// withZeros writes .5 and 5. as Electric reads them, too.
func withZeros(number string) string {
	sign, digits := "", number
	if strings.HasPrefix(number, "-") {
		sign, digits = "-", number[1:]
	}
	if strings.HasPrefix(digits, ".") {
		digits = "0" + digits
	}
	if whole, exponent, found := strings.Cut(digits, "."); found && (exponent == "" || !isDigit(exponent[0])) {
		digits = whole + exponent
	}
	return sign + digits
}
