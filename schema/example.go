package schema

import _ "embed"

//go:generate sh -c "go run ../cmd/shapegate json-schema > shapes.schema.json"

// Example is the text of shapes.yaml, the shape definitions that lie beside this
// package: the demo's, and the ones that a first reader sees.
//
//go:embed shapes.yaml
var Example string
