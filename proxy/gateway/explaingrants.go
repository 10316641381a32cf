package gateway

import (
	"context"
	"fmt"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/permissions"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// explainGrants explains a row of a collection of grants: which of its permissions the reader
// holds on an object, and why. Electric is not asked.
func (x *Explainer) explainGrants(ctx context.Context, who Reader, def *schema.Grants, id []string) (*explain.Explanation, error) {
	asked, err := proxy.NewQuestion(&def.Guarded, who.Subject, who.Params, who.IP)
	if err != nil {
		return nil, err
	}
	row, err := objectRow(def, id)
	if err != nil {
		return nil, err
	}
	e, err := x.decide(ctx, who, &def.Guarded, &asked, row)
	if err != nil {
		return nil, err
	}
	e.Grants = true
	return e, nil
}

// objectRow is the row that a collection may have of an object, as its filters see it: their
// columns are the permissions, and what is asked about in each is the object.
func objectRow(def *schema.Grants, id []string) (*foundRow, error) {
	if len(id) != 1 {
		return nil, invalid("the primary key of %s is (%s): give one id, that of the object", def.Name, permissions.IDColumn)
	}
	key, ok := subset.CanonicalValue(def.ColumnType, id[0])
	row := &foundRow{id: id, exists: ok, meetsWhere: ok, columns: make(map[string]*string)}
	if ok {
		row.id = []string{key}
	} else {
		row.impossible = fmt.Sprintf("%s is no %s, which the column %s of %s is: no row has it", id[0], def.ColumnType, permissions.IDColumn, def.Name)
	}
	for _, permission := range def.Permissions {
		row.columns[permission] = &row.id[0]
	}
	return row, nil
}
