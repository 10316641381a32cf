package main

import (
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/forwarded"
)

// proxyProtocol are the proxies whose connections begin with a header of the PROXY protocol.
func (s *settings) proxyProtocol() forwarded.Proxies {
	if !s.ProxyProtocol {
		return nil
	}
	return s.Gateway.Proxy.Front.Proxies
}

func basePath(field *proxy.Front) func(string) error {
	return func(value string) error {
		field.BasePath = value
		return field.Check()
	}
}

func trustedProxies(field *proxy.Front) func(string) error {
	return func(value string) (err error) {
		field.Proxies, err = forwarded.ParseProxies(value)
		return err
	}
}

func forwardedHeader(field *proxy.Front) func(string) error {
	return func(value string) (err error) {
		field.Header, err = forwarded.ParseHeader(value)
		return err
	}
}
