// Package cdn holds nginx.conf, nginx with a cache in front of shapegate, for people to copy,
// and the tests that run it: nobody gets what another person was answered, of nginx' cache or
// of a browser's, and nothing is left after signing out. It has no other code.
//
// What each answer says to caches is a table in proxy/CACHING.md, and held to it in package
// proxy.
package cdn
