package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
)

const (
	mediaJSON     = "application/json"
	mediaProtobuf = "application/vnd.kubernetes.protobuf"
)

// Client makes requests to a cluster's API server, in one namespace. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	server    *url.URL
	namespace string
	userAgent string
}

// NewClient returns a client for a namespace. The user agent identifies the program in the logs of the API server. NewClient
// reads the files that the credentials name, until ctx ends and for at most 10 s.
func NewClient(ctx context.Context, cluster Cluster, namespace, userAgent string) (*Client, error) {
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		// The namespace becomes a part of the path, where "" or ".." would name the pods of all namespaces.
		return nil, fmt.Errorf("invalid namespace %q: %s", namespace, strings.Join(problems, "; "))
	}
	return withFiles(ctx, func() (*Client, error) {
		httpClient, err := newHTTPClient(cluster.config)
		if err != nil {
			return nil, err
		}
		server, _, err := rest.DefaultServerUrlFor(cluster.config)
		if err != nil {
			return nil, fmt.Errorf("cannot use the API server's address: %w", err)
		}
		return &Client{http: httpClient, server: server, namespace: namespace, userAgent: userAgent}, nil
	})
}

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// request is a GET request in the client's namespace.
type request struct {
	verb        string // in the words of RBAC: "list", or "get" for one object
	resource    schema.GroupVersionResource
	name        string // of the object
	subresource string
	query       url.Values
	accept      string // media types
}

// get makes a request and returns the response if its status is 200. The caller closes its body, and reading it ends when
// ctx ends.
func (c *Client) get(ctx context.Context, r request) (*http.Response, error) {
	if problems := validation.IsDNS1123Subdomain(r.name); r.verb == "get" && len(problems) > 0 {
		// The name becomes a part of the path, where "" or ".." would name another resource.
		return nil, fmt.Errorf("invalid name %q in %s: %s", r.name, r.resource.Resource, strings.Join(problems, "; "))
	}
	api := "apis"
	if r.resource.Group == "" {
		api = "api"
	}
	address := c.server.JoinPath(api, r.resource.Group, r.resource.Version,
		"namespaces", c.namespace, r.resource.Resource, r.name, r.subresource)
	address.RawQuery, address.Fragment = r.query.Encode(), ""
	httpRequest, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, withoutPasswords(fmt.Errorf("create a request: %w", err))
	}
	httpRequest.Header = http.Header{"Accept": {r.accept}, "User-Agent": {c.userAgent}}

	// A credential plugin or a token file may not respond, and the context does not cancel either of them.
	response, err := within(ctx, func() (*http.Response, error) { return c.http.Do(httpRequest) })
	switch {
	case err != nil:
		err = requestError(address.Host, err)
	case response.StatusCode != http.StatusOK:
		err = c.statusError(r, response)
		response.Body.Close()
	default:
		return response, nil
	}
	if ctx.Err() != nil { // whatever it interrupted
		err = fmt.Errorf("request to %s: %w", address.Host, context.Cause(ctx))
	}
	return nil, err
}

// requestError shortens the error of a request that received no response: it removes the URL, and repetitions of the
// address.
func requestError(host string, err error) error {
	var (
		network *net.OpError
		call    *os.SyscallError
		outer   *url.Error
	)
	switch {
	case errors.As(err, &network) && network.Op == "dial" && errors.As(err, &call):
		return fmt.Errorf("connect to %s: %w", host, call.Err)
	case errors.As(err, &outer):
		err = outer.Err
	}
	return fmt.Errorf("request to %s: %w", host, err)
}
