package shapetoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// Source has the keys of the moment. *KeySet and *KeyFile are sources.
type Source interface{ Keys() *KeySet }

// KeyFile is a file of private keys, which may be replaced while it is in use. It is safe
// for concurrent use.
type KeyFile struct {
	path string
	keys atomic.Pointer[KeySet]

	mu   sync.Mutex
	text []byte // what was read last, whether it could be used or not
}

// OpenKeyFile reads a file, as ParseKeys does. Errors are Invalid.
func OpenKeyFile(path string) (*KeyFile, error) {
	f := &KeyFile{path: path}
	if _, err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Keys returns the keys that were read last and could be used.
func (f *KeyFile) Keys() *KeySet { return f.keys.Load() }

// Reload reads the file again, and reports whether there are other keys in it than before.
// Of a file that cannot be used, the error says why, once: the keys stay as they were.
func (f *KeyFile) Reload() (isNew bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := readKeyFile(f.path)
	if err != nil {
		f.text = nil // it may come back as it was
		return false, authz.E(authz.Invalid, "read the gatekeeper's keys", err)
	}
	if bytes.Equal(text, f.text) {
		return false, nil
	}
	f.text = text
	keys, err := ParseKeys(text)
	if err != nil {
		return false, err
	}
	f.keys.Store(keys)
	return true, nil
}

// maxKeyFile is in bytes. A key takes some 120.
const maxKeyFile = 64 << 10

var errLargeKeyFile = errors.New("the file is larger than 64 KiB")

func readKeyFile(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("%s: %w", path, errLargeKeyFile)
	}
	return text, nil
}

// reloadEvery is how soon a changed file is noticed.
const reloadEvery = 10 * time.Second

// Watch reads the file every ten seconds until ctx ends, and logs when the keys are others
// and when the file cannot be used. It looks at the contents: a mounted secret is replaced
// in ways that no event tells.
func (f *KeyFile) Watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		isNew, err := f.Reload()
		switch {
		case err != nil && !failed:
			log.Error("the gatekeeper's keys cannot be read: the last ones stay in use", "cause", err)
		case isNew:
			log.Info("the gatekeeper's keys are read anew", "signing", f.Keys().IDs()[0], "keys", len(f.Keys().IDs()))
		}
		failed = err != nil
	}
}
