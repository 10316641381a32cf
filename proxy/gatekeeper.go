package proxy

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/shapetoken"
)

// gatekeeperPath begins the paths of the gatekeeper. The shape's name follows.
const gatekeeperPath = "/v1/gatekeeper/"

// gatekeeper gives out tokens for one shape each, to whoever may read it.
type gatekeeper struct {
	shapes    *shapeServer
	tokens    ShapeTokens
	publicURL string // empty: the host of the request
}

// serve decides as a request for the shape is decided, and answers with what a client reads
// it with: an object that Electric's ShapeStream takes as its options.
func (g *gatekeeper) serve(c *gin.Context) error {
	who, err := g.shapes.admit(c.Request, credentialsOf)
	if err != nil {
		return err
	}
	defer who.release()
	r, err := g.authorize(c, who)
	if err != nil {
		return err
	}
	base, err := g.baseURL(c.Request)
	if err != nil {
		return err
	}
	shape := tokenShape(r)
	token, err := g.tokens.Sign(shapetoken.Token{
		Subject: authz.Subject{ObjectRef: who.subject.ObjectRef, Claims: contextClaims(r.def.Authorize.Context, who.subject.Claims)},
		Shape:   shape, Fresh: who.fresh, Session: string(who.creds.referToSession()), Expires: who.creds.Expires(),
	})
	if authz.KindOf(err) == authz.Invalid {
		return &problem{kind: badRequest, field: "where", message: "this is too long for a token: name fewer columns, or a shorter where", cause: err}
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{
		"url":     base + tablePath,
		"headers": gin.H{"Authorization": "Bearer " + token},
		"params":  streamParams(&shape),
	})
	return nil
}

// authorize reads what the client asks for a token for, and decides whether it may read
// that.
func (g *gatekeeper) authorize(c *gin.Context, who *access) (*shapeRequest, error) {
	q, err := parseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	r, err := g.shapes.parse(c.Request, q, c.Param("name"), who)
	if err != nil {
		return nil, err
	}
	if err := checkGatekeeperKeys(q, r); err != nil {
		return nil, err
	}
	body, err := g.shapes.bodies.read(c)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(body)) != "" {
		return nil, invalid("body", "the gatekeeper reads no body: params, columns and where belong into the query")
	}
	d, err := g.shapes.authorize(c.Request, r.def, r.shape.label, r.params, who)
	if err != nil {
		return nil, err
	}
	if err := g.shapes.learn(c.Request.Context(), r, d); err != nil {
		return nil, err
	}
	return r, r.narrow()
}

// gatekeeperKeys are the keys of the protocol that say which shape it is. The others say
// where a client is in its log, and differ from one read to the next.
var gatekeeperKeys = []string{"table", "columns", "where"}

// checkGatekeeperKeys refuses the keys that are no part of a shape.
func checkGatekeeperKeys(q url.Values, r *shapeRequest) error {
	other := ""
	for key := range q {
		name, _, isNumbered := cutNumber(key)
		known := isNumbered && name == "params" || slices.Contains(gatekeeperKeys, key) || slices.Contains(r.def.Params, key)
		if !known && (other == "" || key < other) {
			other = key
		}
	}
	if other != "" {
		return invalid(safeField(other), "not a part of the shape: send it when you read the shape")
	}
	return nil
}

// baseURL is where the client is to read the shape. Without a setting that is where it has
// sent this request: a client that names another host misleads itself alone, since no cache
// keeps the answer.
func (g *gatekeeper) baseURL(r *http.Request) (string, error) {
	if g.publicURL != "" {
		return strings.TrimSuffix(g.publicURL, "/"), nil
	}
	if !plainHost.MatchString(r.Host) {
		return "", invalid("host", "not a name or an address, and a port")
	}
	if r.TLS != nil {
		return "https://" + r.Host, nil
	}
	return "http://" + r.Host, nil
}

// plainHost matches a host that means itself in a URL.
var plainHost = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// streamParams are the params option of a ShapeStream that reads a shape.
func streamParams(s *shapetoken.Shape) gin.H {
	params := gin.H{"table": s.Name}
	for name, v := range s.Params {
		params[name] = v
	}
	if s.Columns != nil {
		params["columns"] = s.Columns
	}
	if s.Where != "" {
		params["where"] = s.Where
	}
	if len(s.WhereParams) > 0 {
		values := make(map[string]string, len(s.WhereParams))
		for i, v := range s.WhereParams {
			values[strconv.Itoa(i+1)] = v
		}
		params["params"] = values
	}
	return params
}

// keysAge is how long a reader of the public keys may keep them.
const keysAge = "public, max-age=60"

// keys answers with the public keys, which are the same for everybody.
func (g *gatekeeper) keys(c *gin.Context) error {
	head := c.Writer.Header()
	head.Set("Cache-Control", keysAge)
	head.Set("Vary", "Origin")
	c.Data(http.StatusOK, "application/json; charset=utf-8", g.tokens.PublicKeys())
	return nil
}
