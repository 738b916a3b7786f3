package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	err := &apierrors.StatusError{ErrStatus: statusOf(response)}
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
	resource := r.resource.Resource
	if r.subresource != "" {
		resource += "/" + r.subresource
	}
	return fmt.Sprintf(`the ServiceAccount or user needs permission to %s %s in namespace %s: `+
		`bind it there to a Role or ClusterRole with the rule {apiGroups: [%q], resources: [%q], verbs: [%q]}`,
		r.verb, resource, c.namespace, r.resource.Group, resource, r.verb)
}

// statusOf returns the Status in a response, or one without a reason that quotes the response.
func statusOf(response *http.Response) metav1.Status {
	media := mediaType(response.Header.Get("Content-Type"))
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxStatus)) // if reading fails, use what has been read
	status, err := decodeStatus(body, media)
	if err != nil {
		status = metav1.Status{Message: "the server gave no reason"}
		if media != "" && len(body) > 0 {
			status.Message = fmt.Sprintf("the server sent %s: %q", media, body[:min(len(body), 120)])
		}
	}
	status.Code = int32(response.StatusCode)
	// Of a number that is too large, ParseUint returns the largest, and of other text 0: API servers do not send dates.
	if seconds, _ := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 31); seconds > 0 {
		if status.Details == nil {
			status.Details = &metav1.StatusDetails{}
		}
		status.Details.RetryAfterSeconds = int32(seconds)
	}
	return status
}

// decodeStatus returns the metav1.Status in the body of an error response.
func decodeStatus(body []byte, media string) (status metav1.Status, err error) {
	switch media {
	case mediaProtobuf:
		var envelope runtime.Unknown
		if err := envelope.Unmarshal(bytes.TrimPrefix(body, protobufMagic)); err != nil {
			return status, err
		}
		err = status.Unmarshal(envelope.Raw)
		status.TypeMeta = metav1.TypeMeta{Kind: envelope.Kind, APIVersion: envelope.APIVersion}
	case mediaJSON:
		err = json.UnmarshalCaseSensitivePreserveInts(body, &status)
	}
	if err != nil {
		return status, err
	}
	return status, checkKind(status.TypeMeta, "v1", "Status")
}

// isNotFound reports whether the error is a Status of the API server that says that the object does not exist.
func isNotFound(err error) bool {
	var failed *apierrors.StatusError
	return errors.As(err, &failed) && failed.ErrStatus.Code == http.StatusNotFound && failed.ErrStatus.Reason == metav1.StatusReasonNotFound
}

// header has the fields that say what an object or a list is.
type header struct {
	metav1.TypeMeta
	metav1.ListMeta `json:"metadata"`
	Items           []struct{} `json:"items"` // of a list in JSON: only their number, which takes no memory
}

// check returns an error unless the header is that of a complete object or list of this kind.
func (h header) check(apiVersion, kind string) error {
	err := checkKind(h.TypeMeta, apiVersion, kind)
	switch {
	case err != nil:
		return fmt.Errorf("invalid %s: %w", kind, err)
	case h.ResourceVersion == "":
		return fmt.Errorf("invalid %s: no metadata.resourceVersion", kind)
	case len(h.Items) > maxObjects:
		return fmt.Errorf("invalid %s: more than %d objects", kind, maxObjects)
	case h.Continue != "":
		return fmt.Errorf("incomplete %s: the server sent an incomplete list (metadata.continue is set)", kind)
	}
	return nil
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

// mediaType returns a content type without its parameters, or an empty string if it is invalid.
func mediaType(contentType string) string {
	media, _, _ := mime.ParseMediaType(contentType)
	return media
}
