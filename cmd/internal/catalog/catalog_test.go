package catalog

import (
	"strings"
	"testing"
)

// What is wrong with a URL is said without its password, and not that its form is wrong if
// it is a certificate that is missing.
func TestAWrongURLIsNotRepeated(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://demo:hunter2@db/app?sslmode=verify-full&sslrootcert=/no/such/root.crt": "open /no/such/root.crt: no such file or directory",
		"postgres://demo:hunter2@db:notaport/app":                                          ErrURL.Error(),
		"postgres://demo:hun%zzter2@db/app":                                                ErrURL.Error(),
		"postgres://demo:h#unter2@db/app":                                                  ErrURL.Error(),
		"mysql://demo:hunter2@db/app":                                                      ErrURL.Error(),
		"hunter2":                                                                          ErrURL.Error(),
	} {
		_, err := Connect(t.Context(), url)
		if err == nil || err.Error() != want || strings.Contains(err.Error(), "unter2") {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}
