// Package kept holds the proof that grants which are kept current are those that
// SpiceDB would give: on the real engine, for random schemas and random writes. It
// has tests only.
package kept
