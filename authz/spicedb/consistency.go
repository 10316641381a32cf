package spicedb

import (
	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"

	"github.com/shapegate/shapegate/authz"
)

// fullyConsistent asks for an answer that has seen whatever was written before.
func fullyConsistent() *authzedv1.Consistency {
	return &authzedv1.Consistency{Requirement: &authzedv1.Consistency_FullyConsistent{FullyConsistent: true}}
}

// exactly asks for the answer of one revision, which SpiceDB may have forgotten.
func exactly(revision *authzedv1.ZedToken) *authzedv1.Consistency {
	return &authzedv1.Consistency{Requirement: &authzedv1.Consistency_AtExactSnapshot{AtExactSnapshot: revision}}
}

func asZedToken(token authz.ZedToken) *authzedv1.ZedToken {
	return &authzedv1.ZedToken{Token: string(token)}
}
