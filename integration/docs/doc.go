// Package docs holds the tests of the repository's pages: that links lead somewhere, that
// each page can be reached from README, that what the pages name is in the code, and that
// README's example does what README says. It has no other code.
//
// That the pages name commands, flags and settings that there are is tested beside these,
// in cmd/shapegate.
package docs
