package shapetoken_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/shapetoken"
)

// keyFile is a file of keys that a test writes to.
type keyFile struct {
	t    *testing.T
	path string
	file *shapetoken.KeyFile
}

func newKeyFile(t *testing.T, text []byte) *keyFile {
	t.Helper()
	f := &keyFile{t: t, path: filepath.Join(t.TempDir(), "keys.pem")}
	f.write(text)
	var err error
	if f.file, err = shapetoken.OpenKeyFile(f.path); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *keyFile) write(text []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path, text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// reload makes sure of what comes of reading the file again.
func (f *keyFile) reload(wantNew, wantError bool) {
	f.t.Helper()
	isNew, err := f.file.Reload()
	if isNew != wantNew || (err != nil) != wantError {
		f.t.Fatalf("new: %v, want %v; error: %v", isNew, wantNew, err)
	}
}

func TestKeysAreRotatedWithoutARestart(t *testing.T) {
	old, young := newKey(t, "Ed25519"), newKey(t, "Ed25519")
	f := newKeyFile(t, inPEM(t, old))
	a := authority(f.file)
	first := sign(t, a, example())
	f.reload(false, false)

	f.write(inPEM(t, young, old))
	f.reload(true, false)
	second := sign(t, a, example())
	for _, text := range []string{first, second} {
		if _, err := a.Verify(text); err != nil {
			t.Errorf("with both keys: %v", err)
		}
	}

	f.write(inPEM(t, young))
	f.reload(true, false)
	if _, err := a.Verify(first); authz.KindOf(err) != authz.Unauthenticated {
		t.Errorf("a token of the removed key: %v", err)
	}
	if _, err := a.Verify(second); err != nil {
		t.Errorf("a token of the key that stays: %v", err)
	}
}

func TestAFileThatCannotBeUsedLeavesTheKeysAsTheyWere(t *testing.T) {
	f := newKeyFile(t, inPEM(t, newKey(t, "Ed25519")))
	before := f.file.Keys().IDs()
	f.write([]byte("half a file"))
	f.reload(false, true)
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.reload(false, true)
	if !slices.Equal(f.file.Keys().IDs(), before) {
		t.Error("the keys are others")
	}
	f.write(inPEM(t, newKey(t, "Ed25519")))
	f.reload(true, false)
	if slices.Equal(f.file.Keys().IDs(), before) {
		t.Error("the keys are not the new ones")
	}
}

func TestAFileThatIsMissingOrTooLargeIsRefused(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 65<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{large, filepath.Join(t.TempDir(), "missing")} {
		if _, err := shapetoken.OpenKeyFile(path); authz.KindOf(err) != authz.Invalid {
			t.Errorf("%s: %v", path, err)
		}
	}
}
