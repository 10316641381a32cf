package backend

import (
	"context"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/proxy/gateway"
)

// Explainer says why somebody sees a row or does not. *gateway.Explainer is one.
type Explainer interface {
	Explain(ctx context.Context, who gateway.Reader, shape string, id []string) (*explain.Explanation, error)
}

// why is what a person is told about one document.
type why struct {
	Visible bool           `json:"visible"`
	Reason  explain.Reason `json:"reason"`
	Paths   []explain.Path `json:"paths"` // that grant it or, if it is not visible, stand in its way
	Tried   []string       `json:"tried"` // the relations that lead nowhere
	Text    string         `json:"text"`  // all of it, and what the person may do with the document
}

// reasons tells people why they see a document.
type reasons struct {
	people    people
	explainer Explainer
}

// explain says whether the person sees a document, and by which path, and what they may do
// with it. It tells them of
// relationships that are not theirs, and which ids exist: in an application, let those who
// administer it ask.
func (a *reasons) explain(ctx context.Context, r request) (any, error) {
	id, err := documentID(r)
	if err != nil {
		return nil, err
	}
	p, err := a.people.named(r.person)
	if err != nil {
		return nil, err
	}
	who := gateway.Reader{Subject: authz.Subject{ObjectRef: user(p.Subject), Claims: claimsOf(p.Claims)}}
	e, err := a.explainer.Explain(ctx, who, "documents", []string{id})
	if err != nil {
		return nil, err
	}
	may, err := a.explainer.Explain(ctx, who, "document_actions", []string{id})
	if err != nil {
		return nil, err
	}
	told := why{Visible: e.Visible, Reason: e.Reason, Paths: []explain.Path{}, Tried: []string{}, Text: e.String() + "\n" + may.String()}
	for _, c := range deciding(e) {
		told.Paths = append(told.Paths, c.Paths...)
		told.Paths = append(told.Paths, c.ExcludedBy...)
		for _, on := range c.Caveats {
			told.Paths = append(told.Paths, on.Path)
		}
		told.Tried = append(told.Tried, c.Tried...)
	}
	return told, nil
}

// deciding returns the checks that an explanation rests on.
func deciding(e *explain.Explanation) (checks []*explain.Check) {
	switch e.Reason {
	case explain.GateDenied, explain.ByGate:
		checks = append(checks, e.Gate)
	case explain.ByUnrestricted:
		checks = append(checks, e.Every)
	case explain.NoRow, explain.WhereNotMet: // no relationship decides
	default:
		for i := range e.Filters {
			if c := e.Filters[i].Check; c != nil {
				checks = append(checks, c)
			}
		}
	}
	return checks
}

// claimsOf spells claims as a verified token has them: numbers as float64.
func claimsOf(claims map[string]any) map[string]any {
	out := make(map[string]any, len(claims))
	for name, value := range claims {
		if n, ok := value.(int); ok {
			value = float64(n)
		}
		out[name] = value
	}
	return out
}
