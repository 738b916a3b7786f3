package kube

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
)

// Log returns the last lines of a container's log, and of these at most the last limit bytes: the log of the instance that
// runs or ran last, or of the previous one.
func (c *Client) Log(ctx context.Context, pod, container string, previous bool, lines, limit int64) ([]byte, error) {
	response, err := c.get(ctx, request{
		verb:        "get",
		resource:    podResource,
		name:        pod,
		subresource: "log",
		accept:      "text/plain,*/*",
		query: url.Values{
			"container": {container},
			"previous":  {strconv.FormatBool(previous)},
			"tailLines": {strconv.FormatInt(lines, 10)},
		},
	})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	log, err := readTail(response.Body, limit)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return log, nil
}

// readTail reads to the end and returns the last bytes, at most limit. The API's parameter limitBytes would remove the end
// of the log instead, where a program says why it terminates.
func readTail(r io.Reader, limit int64) ([]byte, error) {
	var tail []byte
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		tail = append(tail, chunk[:n]...)
		if surplus := int64(len(tail)) - limit; surplus > 0 {
			tail = append(tail[:0], tail[surplus:]...)
		}
		if err == io.EOF {
			return tail, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
