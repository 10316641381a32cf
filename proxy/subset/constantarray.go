package subset

import "slices"

// constantArray is an array that is the same for every row: a literal, a parameter
// that holds one, or ARRAY[…].
type constantArray struct {
	elements []element
	numbers  bool     // some elements are bare numbers
	typ      string   // of a cast, or ""
	field    string   // what to blame for it
	fields   []string // what to blame for each element, if that differs
	param    int      // the parameter that it comes from, or 0
}

// become reads every element as a value of the type that it is compared with. A
// cast to a type that cannot be compared with it is refused, any other is dropped.
// It drops the elements that are not of the type, and returns how many they were:
// elements of a parameter, and numbers; a quoted element is an error.
func (a *constantArray) become(typ string) (dropped int, err error) {
	if _, ok := common(typ, a.typ); a.typ != "" && !ok {
		return 0, errTypes(typ, a.typ)
	}
	if a.numbers && !familyOf(typ).numeric() {
		return 0, errNumber(typ)
	}
	kept := a.elements[:0]
	for i, e := range a.elements {
		if !e.null {
			v := fit{text: e.text}
			switch {
			case !e.strict:
				v = fitOf(typ, e.text)
			case !accepts(typ, e.text):
				v.kind = unclear
			}
			if v.kind == unclear {
				return 0, a.refuse(i, typ)
			}
			if v.kind == outside {
				continue
			}
			e.text = v.text
		}
		kept = append(kept, e)
	}
	dropped = len(a.elements) - len(kept)
	a.elements = kept
	return dropped, nil
}

func (a *constantArray) refuse(i int, typ string) error {
	if i < len(a.fields) && a.fields[i] != "where" {
		return refuse(a.fields[i], "is not a value of type "+typ)
	}
	return refuse(a.field, "holds an element that is not a value of type "+typ)
}

// dropOpenPatterns drops the patterns that end in an escape character, and returns
// how many they were.
func (a *constantArray) dropOpenPatterns() int {
	sent := len(a.elements)
	a.elements = slices.DeleteFunc(a.elements, func(e element) bool { return !e.null && endsInEscape(e.text) })
	return sent - len(a.elements)
}

func (a *constantArray) node(typ string) node {
	if a.param > 0 {
		return &param{source: a.param, family: familyOf(typ), array: true, value: arrayText(a.elements)}
	}
	return literal{arrayText(a.elements)}
}
