// Package openapitest holds HTTP answers to an OpenAPI 3.1 file: a Transport checks each
// answer that passes through it, and says what the file does not allow.
//
// It knows nothing of shapegate's routes: what they are is in the file and in the tests. It
// checks what a reader of the file relies on: the status, the headers, none of which may be
// missing or unknown, the media type, and the body. Of a request that was answered with
// success it checks the query and the body, since the file has to allow what the server
// takes. It does not check requests that were refused.
package openapitest
