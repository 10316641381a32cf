package subset

// operand is what is known of a part of a where while it is read.
type operand struct {
	node node
	typ  string // Postgres' name of the type; "" while untyped

	// untyped: a parameter or a bare constant, which takes the type of what it
	// meets, as in Postgres.
	untyped bool

	constant        // of a known value
	array    bool   // a column of arrays
	fixed    bool   // no column in it: the same for every row
	joined   int    // how many columns' texts it may be made of
	tail     string // a text: what it surely ends with, up to the case of letters
}

// constant is the value of an operand that is a constant or a parameter, or a
// function of such.
type constant struct {
	known  bool
	text   string // up to the case of letters
	null   bool   // NULL itself
	number bool   // an untyped number: it never becomes text
	param  int    // the number of the parameter that it is, or 0
	field  string // what to blame for the value

	// misfit is not nil if the value is not of the operand's type. A comparison
	// knows what comes of it; for anything else it is an error.
	misfit *fit
}

func refuseWhere(message string) error { return refuse("where", message) }

// unify gives several operands one type, as the arms of COALESCE have, and returns
// it. Constants take the type of the others. Where all are bare constants they get
// casts, so that nothing has to be guessed.
func unify(operands ...*operand) (string, error) {
	typ, err := settle(operands...)
	if err != nil {
		return "", err
	}
	for _, o := range operands {
		if err := o.checkFit(); err != nil {
			return "", err
		}
	}
	return typ, nil
}

// settle is unify, except that values that are not of the type are left to the
// caller, as misfits.
func settle(operands ...*operand) (string, error) {
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
		if err := o.adopt(typ); err != nil {
			return "", err
		}
		if bare {
			o.node = cast(o.node, typ)
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
			return "", refuseWhere("an array can only be compared with an array")
		case familyOf(o.typ) == incomparable:
			return "", refuseWhere("a value of type " + o.typ + " can only be tested with IS NULL")
		case typ == "":
			typ = o.typ
		default:
			merged, ok := common(typ, o.typ)
			if !ok {
				return "", errTypes(typ, o.typ)
			}
			typ = merged
		}
	}
	return typ, nil
}

func errTypes(a, b string) error {
	return refuseWhere("values of the types " + a + " and " + b + " cannot be compared")
}

func errNumber(typ string) error {
	return refuseWhere("a number cannot be compared with a value of type " + typ)
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
	if err := o.adopt(typ); err != nil {
		return err
	}
	return o.checkFit()
}

// adopt gives an untyped operand a type. A quoted constant is of that type, or an
// error, as in Postgres. A parameter, or a number, may be a misfit.
func (o *operand) adopt(typ string) error {
	if o.number && !familyOf(typ).numeric() {
		return errNumber(typ)
	}
	o.typ, o.untyped = typ, false
	if o.null {
		return nil
	}
	if o.param == 0 && !o.number {
		if !accepts(typ, o.text) {
			return o.notOfType()
		}
		return nil
	}
	switch v := fitOf(typ, o.text); v.kind {
	case holds:
		o.setText(v.text)
	case outside:
		o.misfit = &v
	case unclear:
		return o.notOfType()
	}
	return nil
}

// setText replaces the value of a typed constant or parameter.
func (o *operand) setText(text string) {
	o.text = text
	if o.param > 0 {
		o.node = &param{source: o.param, family: familyOf(o.typ), value: text}
		return
	}
	o.node = literal{text}
}

func (o *operand) checkFit() error {
	if o.misfit != nil {
		return o.notOfType()
	}
	return nil
}

func (o *operand) notOfType() error { return refuse(o.field, "is not a value of type "+o.typ) }

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
		o.node = cast(o.node, "text")
	}
	switch {
	case o.array:
		return operand{}, refuseWhere("a value of type " + o.typ + "[] is not text")
	case familyOf(o.typ) != textual:
		return operand{}, refuseWhere("a value of type " + o.typ + " is not text")
	}
	return o, nil
}

// asCondition returns an operand as what a where, AND, OR or NOT takes.
func (o operand) asCondition() (node, error) {
	switch {
	case o.untyped && o.null:
		return unknown, nil
	case o.untyped && !o.number:
		// Alone, a parameter would be text to Electric.
		if err := o.become("bool"); err != nil {
			return nil, err
		}
		value, _ := parseBool(o.text)
		return boolWord(value), nil
	case o.untyped, o.array, o.typ != "bool":
		return nil, refuseWhere("is not a condition")
	}
	return o.node, o.checkFit()
}

func boolWord(b bool) word {
	if b {
		return yes
	}
	return no
}
