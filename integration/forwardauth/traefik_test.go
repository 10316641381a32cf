package forwardauth_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/shapegate/shapegate/integration/forwardauth"
)

// traefikFile is what the test reads of traefik.yml.
type traefikFile struct {
	HTTP struct {
		Middlewares struct {
			Shapegate struct {
				ForwardAuth struct {
					Address             string
					TrustForwardHeader  bool     `yaml:"trustForwardHeader"`
					AuthResponseHeaders []string `yaml:"authResponseHeaders"`
				} `yaml:"forwardAuth"`
			}
			NoOriginal struct {
				Headers struct {
					CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
				}
			} `yaml:"no-original"`
		}
		Routers map[string]struct {
			Rule        string
			Middlewares []string
			Service     string
		}
	}
}

// traefik does with a request what Traefik v3 does by traefik.yml: it cannot be installed
// here. The request to shapegate is the one that its source makes: a GET with the headers of
// the client, and the X-Forwarded headers set anew.
func (w *world) traefik(hop string) http.Handler {
	w.t.Helper()
	text, err := forwardauth.Files.ReadFile("traefik.yml")
	w.check(err)
	var file traefikFile
	w.check(yaml.Unmarshal(text, &file))
	auth := file.HTTP.Middlewares.Shapegate.ForwardAuth
	direct := file.HTTP.Routers["direct"]
	if auth.TrustForwardHeader || len(auth.AuthResponseHeaders) == 0 || direct.Rule != "Path(`/v1/shapes/project_documents`) && !Method(`OPTIONS`)" || strings.Join(direct.Middlewares, " ") != "no-original shapegate" {
		w.t.Fatalf("traefik.yml is not as this test reads it: %+v", file)
	}
	address := strings.Replace(auth.Address, "shapegate:8081", w.places.ForwardAuth, 1)
	toElectric, toShapegate := proxyTo(w, hop), proxyTo(w, "http://"+w.places.Shapegate)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/shapes/project_documents" || r.Method == http.MethodOptions {
			toShapegate.ServeHTTP(rw, r)
			return
		}
		for name, value := range file.HTTP.Middlewares.NoOriginal.Headers.CustomRequestHeaders {
			if value == "" {
				r.Header.Del(name)
			}
		}
		answer, err := askAsTraefik(r, address)
		if err != nil {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode < 200 || answer.StatusCode > 299 {
			for name, values := range answer.Header {
				rw.Header()[name] = values
			}
			rw.WriteHeader(answer.StatusCode)
			_, _ = io.Copy(rw, answer.Body)
			return
		}
		for _, name := range auth.AuthResponseHeaders {
			name = http.CanonicalHeaderKey(name)
			r.Header.Del(name)
			if values := answer.Header[name]; len(values) > 0 {
				r.Header[name] = values
			}
		}
		toElectric.ServeHTTP(rw, r)
	})
}

func proxyTo(w *world, target string) http.Handler {
	u, err := url.Parse(target)
	w.check(err)
	return &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(u)
		p.Out.URL.RawQuery = p.In.URL.RawQuery // as it came
	}}
}

// askAsTraefik sends the request of Traefik's ForwardAuth.
func askAsTraefik(r *http.Request, address string) (*http.Response, error) {
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		ask.Header[name] = values
	}
	for _, hop := range []string{"Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection"} {
		ask.Header.Del(hop)
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"X-Forwarded-For": client, "X-Forwarded-Method": r.Method, "X-Forwarded-Proto": "http",
		"X-Forwarded-Host": r.Host, "X-Forwarded-Uri": r.URL.RequestURI(),
	} {
		ask.Header.Set(name, value)
	}
	return http.DefaultClient.Do(ask)
}
