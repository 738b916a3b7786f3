package kube

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	corev1 "k8s.io/api/core/v1"
)

const (
	// maxPods bounds a list. Kubernetes supports 150,000 pods in a cluster.
	maxPods = 200_000
	// maxBytes bounds each pod of a list, and each other response. By default, etcd accepts requests of at most 1.5 MiB.
	maxBytes = 8 << 20
)

// List makes one request for the pods that match a label selector, and calls visit with each of them as it arrives. The pod
// is valid only until visit returns. If visit returns an error, List stops and returns it.
//
// If List returns an error, do not use the visited pods: an invalid or incomplete PodList may be detected only at its end.
// If the server responds with a status other than 200, the error wraps an apierrors.APIStatus.
func (c *Client) List(ctx context.Context, selector string, visit func(*corev1.Pod) error) error {
	response, err := c.get(ctx, request{
		verb:     "list",
		resource: podResource,
		query:    url.Values{"labelSelector": {selector}},
		accept:   mediaProtobuf + "," + mediaJSON,
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()

	body := &listBody{from: response.Body, left: maxBytes}
	list := &listReader{body: body, visit: visit}
	err = list.read(response.Header.Get("Content-Type"))
	switch {
	case list.visitErr != nil:
		return list.visitErr
	case body.err != nil: // any other error follows from it; net/http returns the context's cause
		return fmt.Errorf("read the PodList after %d bytes: %w", body.n, body.err)
	}
	return err
}

// listReader decodes a PodList.
type listReader struct {
	body  *listBody
	visit func(*corev1.Pod) error

	header   header
	hasItems bool
	pods     int
	visitErr error
}

var (
	errEmptyBody  = errors.New("empty response body")
	errItemsTwice = errors.New("items occurs twice")
)

func (l *listReader) read(contentType string) error {
	var err error
	switch in := bufio.NewReaderSize(l.body, 32<<10); mediaType(contentType) {
	case mediaProtobuf:
		err = l.readProtobuf(in)
	case mediaJSON:
		err = l.readJSON(in)
	default:
		err = fmt.Errorf("unsupported content type %q", contentType)
	}
	switch {
	case err == io.EOF && l.body.n == 0:
		err = errEmptyBody
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("invalid PodList: %w", err)
	}
	return l.header.check("v1", "PodList")
}

// visitPod calls visit with a pod that has been decoded.
func (l *listReader) visitPod(pod *corev1.Pod) error {
	if l.pods++; l.pods > maxPods {
		return fmt.Errorf("more than %d pods", maxPods)
	}
	l.body.left = maxBytes
	l.visitErr = l.visit(pod)
	return l.visitErr
}

// listBody reads the body of a list, at most so many bytes before each pod.
type listBody struct {
	from io.Reader
	left int   // bytes before the next pod
	n    int64 // bytes read
	err  error // why reading failed
}

func (b *listBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.n += int64(n)
	if b.left -= n; b.left < 0 {
		err = fmt.Errorf("more than %d MiB without a complete pod", maxBytes>>20)
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
