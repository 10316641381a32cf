// Package schema reads shape definitions: the named, server-side descriptions
// of what may be synced, from shapes.yaml.
//
// It checks them twice: for themselves when they are parsed (unknown keys, wrong
// types, missing fields, a shape that nothing guards), and against a SpiceDB
// schema when one can be reached (definitions and permissions that do not
// exist). It knows nothing of requests, subjects or rows, and imports neither
// proxy nor authz: both import it.
//
// The keys of the file stand in tables (keys.go), of which the parser and the JSON
// Schema for editors are made. "go generate" writes the latter to shapes.schema.json.
//
// Below it, predicate reads and prints SQL expressions so that they keep their
// meaning in Electric; demo holds a small world to try everything on, whose shape
// definitions are the shapes.yaml beside this file.
package schema
