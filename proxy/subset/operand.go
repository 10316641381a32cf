package subset

// operand is what is known of a part of a where while it is read.
type operand struct {
	node node
	typ  string // Postgres' name of the type; "" while untyped

	// untyped: a parameter or a bare constant, which takes the type of what it
	// meets, as in Postgres.
	untyped bool
	number  bool // an untyped number: it never becomes text
	null    bool // NULL itself

	fixed bool   // no column in it: the same for every row
	known bool   // fixed, and text is its value
	text  string // up to the case of letters
	field string // what to blame for the value

	array  bool // a column of arrays
	joined int  // how many columns' texts it may be made of
}

func refuseWhere(message string) error { return refuse("where", message) }

// unify gives several operands one type, as the arms of a comparison or of
// COALESCE have, and returns it. Constants take the type of the others. Where all
// are bare constants they get casts, so that nobody has to guess.
func unify(operands ...*operand) (string, error) {
	typ, err := typed(operands)
	if err != nil {
		return "", err
	}
	bare := typ == ""
	if bare {
		typ = bareType(operands)
	}
	for _, o := range operands {
		if !o.untyped {
			continue
		}
		if err := o.become(typ); err != nil {
			return "", err
		}
		if bare {
			o.node = cast{o.node, typ}
		}
	}
	return typ, nil
}

// typed returns the common type of those operands that have one, or "".
func typed(operands []*operand) (string, error) {
	typ := ""
	for _, o := range operands {
		switch {
		case o.untyped:
		case o.array:
			return "", refuseWhere("an array can only be tested with IS NULL and ANY")
		case familyOf(o.typ) == incomparable:
			return "", refuseWhere("a value of type " + o.typ + " can only be tested with IS NULL")
		case typ == "":
			typ = o.typ
		default:
			merged, ok := common(typ, o.typ)
			if !ok {
				return "", refuseWhere("values of the types " + typ + " and " + o.typ + " cannot be compared")
			}
			typ = merged
		}
	}
	return typ, nil
}

func bareType(operands []*operand) string {
	numbers, integers := false, true
	for _, o := range operands {
		numbers = numbers || o.number
		integers = integers && (o.null || validInteger(o.text, 64))
	}
	switch {
	case !numbers:
		return "text"
	case integers:
		return "int8"
	default:
		return "float8"
	}
}

// become gives an untyped operand a type, if its value is of that type.
func (o *operand) become(typ string) error {
	switch f := familyOf(typ); {
	case o.null:
	case o.number && f != integer && f != float && f != decimal:
		return refuseWhere("a number cannot be compared with a value of type " + typ)
	case !accepts(typ, o.text):
		return refuse(o.field, "is not a value of type "+typ)
	}
	o.typ, o.untyped = typ, false
	return nil
}

// accepts is ValidValue, except that any text may be a value of an enum: which
// are, only Postgres knows, and it looks before it looks at any row.
func accepts(typ, text string) bool {
	if familyOf(typ) == enum {
		return validText(text)
	}
	return ValidValue(typ, text)
}

// asText returns an operand of a function or operator on text. A bare constant
// gets a cast.
func (o operand) asText() (operand, error) {
	if o.untyped {
		if err := o.become("text"); err != nil {
			return operand{}, err
		}
		o.node = cast{o.node, "text"}
	}
	if o.array || familyOf(o.typ) != textual {
		return operand{}, refuseWhere("a value of type " + o.typ + " is not text")
	}
	return o, nil
}

// asCondition returns an operand as what a where, AND, OR or NOT takes.
func (o operand) asCondition() (node, error) {
	switch {
	case o.untyped && o.null:
		return cast{null, "bool"}, nil
	case o.untyped && !o.number:
		// Alone, a parameter would be text to Electric.
		value, ok := parseBool(o.text)
		if !ok {
			return nil, refuse(o.field, "is not a value of type bool")
		}
		return boolWord(value), nil
	case o.untyped, o.array, o.typ != "bool":
		return nil, refuseWhere("is not a condition")
	}
	return o.node, nil
}

func boolWord(b bool) word {
	if b {
		return yes
	}
	return no
}
