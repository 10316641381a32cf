// Package forwardauth has configuration files for servers in front of Electric that ask
// shapegate whether they may send a request there, for users to copy, and starts those
// servers with these very files, for tests. README.md says what they are for.
package forwardauth
