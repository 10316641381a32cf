package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/shapegate/shapegate/schema"
)

// loadShapes is schema.Load. The error of a file that is not there names the setting.
func loadShapes(path string) (schema.File, error) {
	shapes, err := schema.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("SHAPEGATE_SHAPES (--shapes) names no file that is there: %w", err)
	}
	return shapes, err
}
