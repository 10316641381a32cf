package proxy

import (
	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/proxy/permissions"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// grantsPath begins the paths of collections of grants. The name follows.
const grantsPath = "/v1/grants/"

// collection is a collection of grants, ready to be asked.
type collection struct {
	def   *schema.Grants
	table *permissions.Table
	label string // see labelOf
}

func newCollections(defs []schema.Grants) (map[string]*collection, error) {
	all := make(map[string]*collection, len(defs))
	for i := range defs {
		def := &defs[i]
		table, err := permissions.TableOf(def)
		if err != nil {
			return nil, err
		}
		all[def.Name] = &collection{def: def, table: table, label: collectionLabel(def)}
	}
	return all, nil
}

// collectionLabel is a label with the type of the ids: which of the grants have a row depends
// on it, see permissions.Table.IDs.
func collectionLabel(def *schema.Grants) string {
	return labelOf(&def.Guarded) + "\n" + def.ColumnType
}

// grantsServer answers requests for collections of grants: with the same kinds of answers
// as a shape's, of another source.
type grantsServer struct {
	*server
	collections map[string]*collection
	notes       *notes
}

// serve answers a request for the collection of a name.
func (s *grantsServer) serve(c *gin.Context, name string) error {
	x, a, err := s.open(c.Request, s.auth.credentials, func(who *access) (*exchange, answer, error) { return s.begin(c, name, who) })
	return s.respond(c.Request.Context(), x, a, err)
}

// begin parses and authorizes a request, and finds which answer it gets.
func (s *grantsServer) begin(c *gin.Context, name string, who *access) (*exchange, answer, error) {
	q, err := parseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, nil, err
	}
	of, ok := s.collections[name]
	if !ok {
		return nil, nil, &problem{kind: notFound, message: "no such collection of grants", field: "name"}
	}
	if err := who.want(c.Request, &of.def.Guarded); err != nil {
		return nil, nil, err
	}
	r, err := parseRequest(c.Request, q, &of.def.Guarded)
	if err != nil {
		return nil, nil, err
	}
	if key := r.narrowing.key(); key != "" {
		return nil, nil, invalid(key, "a collection of grants cannot be narrowed: ask for a subset by id instead")
	}
	body, err := s.bodies.read(c)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.authorize(c.Request, r.def, of.label, r.params, who)
	if err != nil {
		return nil, nil, err
	}
	if err := r.parseSubset(body, q, of.table.ForClients()); err != nil {
		return nil, nil, err
	}
	asked := &subset.Request{}
	if r.subset != nil {
		asked = r.subset
	}
	selected, err := of.table.Select(asked)
	if err != nil {
		return nil, nil, err
	}
	x := s.newExchange(c.Writer, &r, who, &grantsSource{of, selected, s.notes}, r.scope(who.subject.String()))
	a, err := x.answer(d)
	return x, a, err
}
