// Package explain says why somebody sees a row of a shape or not, in the words of the
// schema and of the shape's definition.
//
// It is pure. Its input is how SpiceDB came to its answers, as trees (Answer), and what is
// known of the row; its output is a value (Explanation) that is told as a text or as JSON.
// Package authz/spicedb asks for the trees, and package proxy/gateway puts both together.
//
// It decides nothing that the proxy relies on. What it says of one row at one revision is
// what the proxy would decide of it.
package explain
