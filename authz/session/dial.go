package session

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/shapegate/shapegate/authz"
)

// RedisConfig says which Redis to use: one server, a cluster, or the master that
// Sentinels know of.
type RedisConfig struct {
	// URL is one of
	//
	//	redis://[user:password@]host[:port][/database]             one server
	//	unix:///path                                               one server, by its socket
	//	redis://[user:password@]host:port,host:port                a cluster, by some of its nodes
	//	redis://[user:password@]host:port?cluster=true             a cluster, by one address
	//	redis://…@host:port,host:port[/database]?master_name=name  Sentinels
	//
	// rediss:// in place of redis:// is TLS. Sentinels that want credentials of
	// their own have them in sentinel_username and sentinel_password. The other
	// options are those of redis.ParseURL: dial_timeout, read_timeout,
	// write_timeout, pool_timeout, pool_size, max_retries and so on.
	URL string

	// CAFile is a PEM file of the authorities that may sign the server's
	// certificate; empty: the system's. CertFile and KeyFile are PEM files of the
	// client's certificate, if the server wants one. All need rediss://.
	CAFile, CertFile, KeyFile string
}

// errRedisURL says nothing of the URL, nor does the parser's own error get out:
// it quotes pieces of the URL, among them, if it is malformed enough, the
// password.
var errRedisURL = errors.New("the Redis URL is not of the form redis://[user:password@]host[:port][,host:port…][/database], rediss:// (TLS) or unix:///path, or has an unknown option")

const opDial = "configure Redis"

// Dial returns a client for a Redis. It connects when it is first used, so Redis
// need not be there yet. Errors are Invalid and do not repeat the URL.
//
// Timeouts and the pool fit calls of half a second that a person waits for.
// Options in the URL win.
func Dial(cfg RedisConfig) (redis.UniversalClient, error) {
	o, err := parseRedisURL(cfg.URL)
	if err != nil {
		return nil, authz.E(authz.Invalid, opDial, errRedisURL)
	}
	if err := cfg.addTLS(o); err != nil {
		return nil, authz.E(authz.Invalid, opDial, err)
	}
	o.ContextTimeoutEnabled = true
	o.DialTimeout = cmp.Or(o.DialTimeout, callTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, callTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, callTimeout)
	o.PoolTimeout = cmp.Or(o.PoolTimeout, callTimeout)
	o.ConnMaxIdleTime = cmp.Or(o.ConnMaxIdleTime, 5*time.Minute)

	// One more attempt is for a pooled connection that Redis closed meanwhile.
	// Every call of the store may safely be done twice.
	o.MaxRetries = cmp.Or(o.MaxRetries, 1)
	o.DialerRetries = 1

	// Nothing is sent but what Redis' doc comment says, HELLO and AUTH aside.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(o), nil
}

// parseRedisURL takes the hosts and what is not for one server out of a URL, and
// has the client's own parser read the rest.
func parseRedisURL(text string) (*redis.UniversalOptions, error) {
	text, hosts := splitHosts(text)
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, err
	}
	o := &redis.UniversalOptions{
		MasterName:       take(q, "master_name"),
		SentinelUsername: take(q, "sentinel_username"),
		SentinelPassword: take(q, "sentinel_password"),
	}
	switch take(q, "cluster") {
	case "":
	case "true":
		o.IsClusterMode = true
	default:
		return nil, errRedisURL
	}
	u.RawQuery = q.Encode()
	one, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, err
	}
	if o.MasterName != "" && o.IsClusterMode || o.IsClusterMode && one.DB != 0 {
		return nil, errRedisURL
	}
	o.Addrs = []string{one.Addr}
	for _, host := range hosts {
		other, err := redis.ParseURL("redis://" + host)
		if err != nil || host == "" {
			return nil, errRedisURL
		}
		o.Addrs = append(o.Addrs, other.Addr)
	}
	if len(o.Addrs) > 1 && o.MasterName == "" && one.DB != 0 {
		return nil, errRedisURL // a cluster has one database
	}
	copyOptions(o, one)
	return o, nil
}

// splitHosts takes all hosts but the first out of a URL. No parser takes a list.
func splitHosts(text string) (rest string, others []string) {
	scheme, after, ok := strings.Cut(text, "://")
	if !ok {
		return text, nil
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	authority := after[:end]
	user := strings.LastIndexByte(authority, '@') + 1
	hosts := strings.Split(authority[user:], ",")
	return scheme + "://" + authority[:user] + hosts[0] + after[end:], hosts[1:]
}

// take removes a key from a query and returns its value.
func take(q url.Values, key string) string {
	defer q.Del(key)
	return q.Get(key)
}

// copyOptions takes over what a URL may say of one server.
func copyOptions(o *redis.UniversalOptions, one *redis.Options) {
	o.Username, o.Password, o.DB, o.Protocol, o.ClientName = one.Username, one.Password, one.DB, one.Protocol, one.ClientName
	o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff = one.MaxRetries, one.MinRetryBackoff, one.MaxRetryBackoff
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = one.DialTimeout, one.ReadTimeout, one.WriteTimeout, one.PoolTimeout
	o.PoolFIFO, o.PoolSize, o.MinIdleConns, o.MaxIdleConns, o.MaxActiveConns = one.PoolFIFO, one.PoolSize, one.MinIdleConns, one.MaxIdleConns, one.MaxActiveConns
	o.MaxConcurrentDials = one.MaxConcurrentDials
	o.PipelinePoolSize, o.PipelineReadBufferSize, o.PipelineWriteBufferSize = one.PipelinePoolSize, one.PipelineReadBufferSize, one.PipelineWriteBufferSize
	o.ConnMaxIdleTime, o.ConnMaxLifetime, o.ConnMaxLifetimeJitter = one.ConnMaxIdleTime, one.ConnMaxLifetime, one.ConnMaxLifetimeJitter
	o.TLSConfig = one.TLSConfig
	if o.TLSConfig != nil && (len(o.Addrs) > 1 || o.MasterName != "" || o.IsClusterMode) {
		o.TLSConfig.ServerName = "" // each node is called by its own name
	}
}

var (
	errNotTLS  = errors.New("the Redis CA and certificate files need a URL that begins with rediss://")
	errCAFile  = errors.New("the Redis CA file holds no certificate")
	errKeyPair = errors.New("the Redis certificate file and its key file need each other")
)

// addTLS adds the authorities and the certificate to the options.
func (cfg RedisConfig) addTLS(o *redis.UniversalOptions) error {
	if cfg.CAFile == "" && cfg.CertFile == "" && cfg.KeyFile == "" {
		return nil
	}
	if o.TLSConfig == nil {
		return errNotTLS
	}
	if (cfg.CertFile == "") != (cfg.KeyFile == "") {
		return errKeyPair
	}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return err
		}
		o.TLSConfig.RootCAs = x509.NewCertPool()
		if !o.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return errCAFile
		}
	}
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return err
		}
		o.TLSConfig.Certificates = []tls.Certificate{pair}
	}
	return nil
}
