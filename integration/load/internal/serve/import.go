package serve

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/tuple"

	"github.com/shapegate/shapegate/integration/spicedbtest"
)

const (
	mostImport     = 1 << 30
	importsAtATime = 1000
)

// importRelationships writes relationships, one a line, in one transaction. The
// engine in memory keeps every revision that there was: with one for each thousand,
// half a million of them take gigabytes.
func importRelationships(engine *spicedbtest.Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostImport))
		if err == nil {
			err = importAll(r.Context(), engine, strings.Fields(string(text)))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}

func importAll(ctx context.Context, engine *spicedbtest.Server, lines []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends a stream that was not closed
	stream, err := authzedv1.NewPermissionsServiceClient(engine.Conn()).ImportBulkRelationships(ctx)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(lines, importsAtATime) {
		request := &authzedv1.ImportBulkRelationshipsRequest{}
		for _, line := range chunk {
			relationship, err := tuple.ParseV1Rel(line)
			if err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			request.Relationships = append(request.Relationships, relationship)
		}
		if err := stream.Send(request); err != nil {
			_, err = stream.CloseAndRecv() // what Send says of a refusal is io.EOF
			return fmt.Errorf("import: %w", err)
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}
