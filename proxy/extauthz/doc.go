// Package extauthz answers Envoy's filter ext_authz over gRPC: the service
// envoy.service.auth.v3.Authorization. It translates, and decides nothing: a Decider does.
//
// An OK answer replaces :path by the path and the query that the decision names, so that
// nothing of the client's query reaches Electric, and removes the client's credentials.
// Envoy's query_parameters_to_set and _to_remove are not used: Envoy compares the names as
// they are spelled in the URL, and params%5B1%5D would stay where params[1] is removed.
package extauthz
