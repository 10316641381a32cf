package electrictest

// bits is an operator on the bits of integers.
func (c *rules) bits(op string, loc int32, args []*expr) (*expr, error) {
	t, err := c.unify(loc, args)
	if err != nil {
		return nil, err
	}
	if t.kind() != kindInt {
		return nil, sqlErrorf(loc, "Could not select an operator overload")
	}
	return strict2(t, loc, args[0], args[1], func(x, y datum) datum {
		switch op {
		case "&":
			return datum{i: x.i & y.i}
		case "|":
			return datum{i: x.i | y.i}
		default:
			return datum{i: x.i ^ y.i}
		}
	}), nil
}

func arithmetic(op string, loc int32, t typ, a, b *expr) *expr {
	integer := t.kind() == kindInt
	return strict2(t, loc, a, b, func(x, y datum) datum {
		switch op {
		case "+":
			return datum{i: x.i + y.i, f: x.f + y.f}
		case "-":
			return datum{i: x.i - y.i, f: x.f - y.f}
		case "*":
			return datum{i: x.i * y.i, f: x.f * y.f}
		}
		switch {
		case integer && y.i == 0, !integer && y.f == 0:
			return sqlNull // Postgres fails here
		case integer:
			return datum{i: x.i / y.i}
		default:
			return datum{f: x.f / y.f}
		}
	})
}
