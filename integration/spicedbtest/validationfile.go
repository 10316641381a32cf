package spicedbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/development"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	devinterface "github.com/authzed/spicedb/pkg/proto/developer/v1"
	"github.com/authzed/spicedb/pkg/tuple"
	"github.com/authzed/spicedb/pkg/validationfile"
	"github.com/authzed/spicedb/pkg/validationfile/blocks"
	"google.golang.org/protobuf/types/known/structpb"
)

// ValidationFile is a schema, relationships, and what must be true of them, in
// the format of SpiceDB's playground and of "zed validate".
type ValidationFile struct {
	Schema        string
	Relationships []string // each as Server.Touch takes it

	parsed *validationfile.ValidationFile
}

// LoadValidationFile reads the file at path. A schemaFile that it names is read
// from beside it.
func LoadValidationFile(path string) (*ValidationFile, error) {
	contents, err := os.ReadFile(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, err
	}
	f, err := parseValidationFile(contents, func(name string) ([]byte, error) {
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("schemaFile %q is outside of the file's directory", name)
		}
		return os.ReadFile(filepath.Join(filepath.Dir(path), name)) //nolint:gosec // checked to be beside it
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// ParseValidationFile reads the contents of a validation file, in which the
// schema must be given in place.
func ParseValidationFile(contents []byte) (*ValidationFile, error) {
	return parseValidationFile(contents, func(name string) ([]byte, error) {
		return nil, fmt.Errorf("schemaFile %q: only a file on disk can name another", name)
	})
}

func parseValidationFile(contents []byte, schemaFile func(name string) ([]byte, error)) (*ValidationFile, error) {
	parsed, err := validationfile.DecodeValidationFile(contents)
	if err != nil {
		return nil, fmt.Errorf("validation file: %w", err)
	}
	f := &ValidationFile{Schema: parsed.Schema.Schema, parsed: parsed}
	if parsed.SchemaFile != "" {
		if f.Schema != "" {
			return nil, errors.New("validation file: both schema and schemaFile")
		}
		schema, err := schemaFile(parsed.SchemaFile)
		if err != nil {
			return nil, fmt.Errorf("validation file: %w", err)
		}
		f.Schema = string(schema)
	}
	for _, rel := range parsed.Relationships.Relationships {
		text, err := tuple.String(rel)
		if err != nil {
			return nil, fmt.Errorf("validation file: %w", err)
		}
		f.Relationships = append(f.Relationships, text)
	}
	return f, nil
}

// Config returns the configuration of an engine that holds the file's schema and
// relationships.
func (f *ValidationFile) Config() Config {
	return Config{Schema: f.Schema, Relationships: f.Relationships}
}

// CheckAssertions asks the engine, which should hold the file's schema and
// relationships, every assertion of the file, and checks the file's expected
// relations, if it has any. The error names each that does not hold, with its
// line. A file that claims nothing is an error.
func (s *Server) CheckAssertions(ctx context.Context, f *ValidationFile) error {
	claims := f.parsed.Assertions
	expected := f.parsed.ExpectedRelations.ValidationMap
	if len(claims.AssertTrue)+len(claims.AssertCaveated)+len(claims.AssertFalse)+len(expected) == 0 {
		return errors.New("the validation file asserts nothing")
	}
	var failed []error
	for _, group := range []struct {
		assertions []blocks.Assertion
		want       authzedv1.CheckPermissionResponse_Permissionship
		not        string
	}{
		{claims.AssertTrue, authzedv1.CheckPermissionResponse_PERMISSIONSHIP_HAS_PERMISSION, "is not true"},
		{claims.AssertCaveated, authzedv1.CheckPermissionResponse_PERMISSIONSHIP_CONDITIONAL_PERMISSION, "is not caveated"},
		{claims.AssertFalse, authzedv1.CheckPermissionResponse_PERMISSIONSHIP_NO_PERMISSION, "is not false"},
	} {
		for _, a := range group.assertions {
			got, err := s.check(ctx, a)
			if err == nil && got != group.want {
				err = fmt.Errorf("it is %s", got)
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("line %d: %s %s: %w",
					a.SourcePosition.LineNumber, a.RelationshipWithContextString, group.not, err))
			}
		}
	}
	if len(expected) > 0 {
		failed = append(failed, f.checkExpectedRelations(ctx)...)
	}
	return errors.Join(failed...)
}

func (s *Server) check(ctx context.Context, a blocks.Assertion) (authzedv1.CheckPermissionResponse_Permissionship, error) {
	var caveatContext *structpb.Struct
	if len(a.CaveatContext) > 0 {
		var err error
		if caveatContext, err = structpb.NewStruct(a.CaveatContext); err != nil {
			return 0, err
		}
	}
	rel := tuple.ToV1Relationship(a.Relationship)
	res, err := authzedv1.NewPermissionsServiceClient(s.admin).CheckPermission(ctx, &authzedv1.CheckPermissionRequest{
		Consistency: &authzedv1.Consistency{Requirement: &authzedv1.Consistency_FullyConsistent{FullyConsistent: true}},
		Resource:    rel.GetResource(),
		Permission:  rel.GetRelation(),
		Subject:     rel.GetSubject(),
		Context:     caveatContext,
	})
	return res.GetPermissionship(), err
}

// checkExpectedRelations expands the "validation" block with SpiceDB's own
// development tools, since the API has no such call.
func (f *ValidationFile) checkExpectedRelations(ctx context.Context) []error {
	rels := make([]*core.RelationTuple, len(f.parsed.Relationships.Relationships))
	for i, rel := range f.parsed.Relationships.Relationships {
		rels[i] = rel.ToCoreTuple()
	}
	dev, problems, err := development.NewDevContext(ctx, &devinterface.RequestContext{Schema: f.Schema, Relationships: rels})
	if err != nil {
		return []error{err}
	}
	if problems != nil {
		return asErrors(problems.GetInputErrors())
	}
	defer dev.Dispose()
	_, wrong, err := development.RunValidation(dev, &f.parsed.ExpectedRelations)
	if err != nil {
		return []error{err}
	}
	return asErrors(wrong)
}

func asErrors(problems []*devinterface.DeveloperError) []error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = fmt.Errorf("line %d: %s", p.GetLine(), strings.TrimSpace(p.GetMessage()))
	}
	return errs
}
