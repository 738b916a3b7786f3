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
	ctx, cancel := context.WithTimeoutCause(ctx, fileTimeout, fmt.Errorf("the files of the credentials cannot be read within %s", fileTimeout))
	defer cancel()
	httpClient, err := within(ctx, func() (*http.Client, error) { return newHTTPClient(cluster.config) }, func(*http.Client) {})
	if err != nil {
		return nil, withoutPasswords(err)
	}
	server, _, err := rest.DefaultServerUrlFor(cluster.config)
	if err != nil {
		return nil, withoutPasswords(fmt.Errorf("use the API server's address: %w", err))
	}
	return &Client{http: httpClient, server: server, namespace: namespace, userAgent: userAgent}, nil
}

// request is a GET request for something in the client's namespace.
type request struct {
	resource    schema.GroupVersionResource
	name        string // of one object; empty: a list
	subresource string
	query       url.Values
	accept      string // media types
}

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// path returns the elements of the request's path, escaped.
func (r request) path(namespace string) []string {
	group := []string{"apis", r.resource.Group}
	if r.resource.Group == "" {
		group = []string{"api"}
	}
	return append(group, r.resource.Version, "namespaces", namespace, r.resource.Resource, url.PathEscape(r.name), r.subresource)
}

// get makes a request and returns the response if its status is 200. The caller closes its body, and reading it ends when
// ctx ends.
func (c *Client) get(ctx context.Context, r request) (*http.Response, error) {
	address := c.server.JoinPath(r.path(c.namespace)...)
	address.RawQuery, address.Fragment = r.query.Encode(), ""
	httpRequest, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, withoutPasswords(fmt.Errorf("create a request: %w", err))
	}
	httpRequest.Header.Set("Accept", r.accept)
	httpRequest.Header.Set("User-Agent", c.userAgent)

	// A credential plugin or a token file may not respond, and the context does not cancel either of them.
	response, err := within(ctx, func() (*http.Response, error) { return c.http.Do(httpRequest) },
		func(late *http.Response) { late.Body.Close() })
	if err != nil {
		err = requestError(address.Host, err)
	} else if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		err = c.statusError(r, response)
	}
	if err != nil && ctx.Err() != nil { // whatever it interrupted
		err = fmt.Errorf("request to %s: %w", address.Host, context.Cause(ctx))
	}
	if err != nil {
		return nil, err
	}
	return response, nil
}

// requestError shortens the error of a request that received no response: it removes the URL, and repetitions of the
// address.
func requestError(host string, err error) error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err
	}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" && dial.Err != nil {
		err = dial.Err
		if call := (*os.SyscallError)(nil); errors.As(err, &call) {
			err = call.Err
		}
		return fmt.Errorf("connect to %s: %w", host, err)
	}
	return fmt.Errorf("request to %s: %w", host, err)
}
