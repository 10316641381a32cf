package electrictest

// expr is a compiled SQL expression. It is a constant, a literal that has no
// type yet, or something to evaluate for each row.
type expr struct {
	typ typ // zero for a literal without a type
	loc int32

	eval  func(cells []cell) datum // nil for constants and literals
	value datum                    // of a constant

	literal *string // the text of a literal without a type; nil is NULL
	param   *param  // the parameter that the literal or constant came from, if any

	column int    // the index of the column that this is, or -1
	ids    *idSet // rows outside of which this cannot be true; nil if unknown
}

func (e *expr) untyped() bool { return e.typ.name == "" }

func (e *expr) constant() bool { return e.eval == nil && !e.untyped() }

func constExpr(t typ, loc int32, d datum) *expr {
	return &expr{typ: t, loc: loc, value: d, column: -1}
}

// get returns the value for one row.
func (e *expr) get(cells []cell) datum {
	if e.eval == nil {
		return e.value
	}
	return e.eval(cells)
}

// strict1 is a function that is NULL for NULL.
func strict1(t typ, loc int32, a *expr, f func(datum) datum) *expr {
	return computed(t, loc, []*expr{a}, func(cells []cell) datum {
		v := a.get(cells)
		if v.null {
			return sqlNull
		}
		return f(v)
	})
}

// strict2 is a function that is NULL where either argument is.
func strict2(t typ, loc int32, a, b *expr, f func(a, b datum) datum) *expr {
	return computed(t, loc, []*expr{a, b}, func(cells []cell) datum {
		x := a.get(cells)
		if x.null {
			return sqlNull
		}
		y := b.get(cells)
		if y.null {
			return sqlNull
		}
		return f(x, y)
	})
}

// computed builds an expression, or the constant that it is where all of its
// arguments are constants.
func computed(t typ, loc int32, args []*expr, eval func(cells []cell) datum) *expr {
	for _, a := range args {
		if !a.constant() {
			return &expr{typ: t, loc: loc, eval: eval, column: -1}
		}
	}
	return constExpr(t, loc, eval(nil))
}
