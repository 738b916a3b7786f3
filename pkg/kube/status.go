package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/json"
)

// maxStatus is how much of the body of an error response is read, in bytes.
const maxStatus = 16 << 10

// statusError describes a response whose status is not 200. The error wraps an apierrors.StatusError with the response's
// status code, and says what a user can do.
func (c *Client) statusError(r request, response *http.Response) error {
	err := apiStatus(r, response)
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized:
		return fmt.Errorf("401 Unauthorized: the server did not accept the credentials (expired, revoked, or for another cluster): %w; with valid credentials, %s", err, c.neededRule(r))
	case code == http.StatusForbidden:
		return fmt.Errorf("403 Forbidden: %w; %s", err, c.neededRule(r))
	case code >= 300 && code < 400:
		host := ""
		if location, err := response.Location(); err == nil {
			host = location.Host
		}
		return fmt.Errorf("redirects are refused, because the token must not reach another host: %d to host %q: %w", code, host, err)
	default:
		return fmt.Errorf("%d %s: %w", code, http.StatusText(code), err)
	}
}

// neededRule names the permission that a request needs.
func (c *Client) neededRule(r request) string {
	verb, resource := "list", r.resource.Resource
	if r.name != "" {
		verb = "get"
	}
	if r.subresource != "" {
		resource += "/" + r.subresource
	}
	return fmt.Sprintf(`the ServiceAccount or user needs permission to %s %s in namespace %s: `+
		`bind it there to a Role or ClusterRole with the rule {apiGroups: [%q], resources: [%q], verbs: [%q]}`,
		verb, resource, c.namespace, r.resource.Group, resource, verb)
}

// apiStatus returns the Status in a response, or one that quotes the response.
func apiStatus(r request, response *http.Response) *apierrors.StatusError {
	contentType := response.Header.Get("Content-Type")
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxStatus)) // if reading fails, use what has been read
	status := decodeStatus(body, contentType)
	if status == nil {
		status = &apierrors.NewGenericServerResponse(response.StatusCode, "get", r.resource.GroupResource(), "", "", 0, false).ErrStatus
		status.Message = "the server gave no reason"
		if media := mediaType(contentType); media != "" && len(body) > 0 {
			status.Message = fmt.Sprintf("the server sent %s: %q", media, body[:min(len(body), 120)])
		}
	}
	status.Code = int32(response.StatusCode)
	if seconds := retryAfter(response.Header.Get("Retry-After")); seconds > 0 {
		if status.Details == nil {
			status.Details = &metav1.StatusDetails{}
		}
		status.Details.RetryAfterSeconds = seconds
	}
	return &apierrors.StatusError{ErrStatus: *status}
}

// retryAfter returns the seconds in a Retry-After header. API servers do not send its other form, a date; it counts as absent.
func retryAfter(value string) int32 {
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return int32(min(seconds, math.MaxInt32))
}

// decodeStatus returns the metav1.Status in the body of an error response, or nil.
func decodeStatus(body []byte, contentType string) *metav1.Status {
	status := &metav1.Status{}
	switch mediaType(contentType) {
	case mediaProtobuf:
		message, found := bytes.CutPrefix(body, protobufMagic)
		var envelope runtime.Unknown
		if !found || envelope.Unmarshal(message) != nil || status.Unmarshal(envelope.Raw) != nil {
			return nil
		}
		status.TypeMeta = metav1.TypeMeta{Kind: envelope.Kind, APIVersion: envelope.APIVersion}
	case mediaJSON:
		if json.UnmarshalCaseSensitivePreserveInts(body, status) != nil {
			return nil
		}
	}
	if checkKind(status.TypeMeta, "v1", "Status") != nil {
		return nil
	}
	return status
}

// checkKind returns an error unless the object has this kind.
func checkKind(object metav1.TypeMeta, apiVersion, kind string) error {
	switch {
	case object.Kind == "":
		return errors.New("no kind")
	case object.Kind != kind || object.APIVersion != apiVersion:
		return fmt.Errorf("kind %q, apiVersion %q", object.Kind, object.APIVersion)
	}
	return nil
}

// mediaType returns a content type without its parameters.
func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return media
}
