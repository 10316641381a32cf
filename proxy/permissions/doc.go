// Package permissions has the rows of a collection of grants: what grants are as rows, and
// what brings a client from some grants to others.
//
// A collection has a row for each object on which a person holds any of its permissions.
// There is no table: a row says which of the grant sets hold its id.
//
//	grants:    edit {d1, d2}   share {d1}
//	rows:      {"id": "d1", "edit": "true", "share": "true"}
//	           {"id": "d2", "edit": "true", "share": "false"}
//
// So a change of grants is a change of rows. If d2 is shared, and d1 not edited any more:
//
//	grants:    edit {d2}       share {d1, d2}
//	messages:  update {"id": "d1", "edit": "false", "share": "true"}
//	           update {"id": "d2", "edit": "true", "share": "true"}
//
// The first permission of a row is an insert, and the last one a delete. A row that a client
// may hold or not, since an answer was cut, comes as an insert: clients take a second one
// for an update.
//
// The package is pure: it does no I/O and knows nothing of requests or SpiceDB.
package permissions
