package kube

import (
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// readPodList decodes an answer that has to be a list of pods, whole and real: the object's kind must be PodList
// (nothing is assumed, as the typed clients do), and it must have a resourceVersion.
func readPodList(body io.Reader, contentType string) (*checker.PodList, error) {
	list, err := readByMediaType(body, contentType)
	if err == nil && list.ResourceVersion == "" {
		err = errors.New("it has no resourceVersion")
	}
	if err != nil {
		return nil, fmt.Errorf("the answer is no list of pods: %w", err)
	}
	return list, nil
}

func readByMediaType(body io.Reader, contentType string) (*checker.PodList, error) {
	switch mediaType(contentType) {
	case mediaProtobuf:
		return readProtobufPodList(body)
	case mediaJSON:
		return readJSONPodList(body)
	}
	return nil, fmt.Errorf("it has the content type %q", contentType)
}

// readJSONPodList is for API servers, and proxies before them, that do not speak protobuf. It reads the whole list first.
func readJSONPodList(body io.Reader) (*checker.PodList, error) {
	all, err := io.ReadAll(body)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, errEmpty
	}
	list := &checker.PodList{}
	return list, decodeJSON(all, list, &list.TypeMeta, "PodList")
}

// decodeStatus returns the metav1.Status in the body of an error, or nil. API servers send it as JSON or as protobuf,
// like any other answer.
func decodeStatus(body []byte, contentType string) *metav1.Status {
	status := &metav1.Status{}
	switch mediaType(contentType) {
	case mediaProtobuf:
		object, err := unwrapProtobuf(body, "Status")
		if err != nil || status.Unmarshal(object) != nil {
			return nil
		}
	case mediaJSON:
		if decodeJSON(body, status, &status.TypeMeta, "Status") != nil {
			return nil
		}
	default:
		return nil
	}
	return status
}

// decodeJSON decodes an object that has to be of this kind, as strict about letter case as API servers are.
func decodeJSON(body []byte, object any, meta *metav1.TypeMeta, kind string) error {
	if err := json.UnmarshalCaseSensitivePreserveInts(body, object); err != nil {
		return err
	}
	if meta.Kind != kind || meta.APIVersion != "v1" {
		return errOtherKind(meta.APIVersion, meta.Kind)
	}
	return nil
}

func errOtherKind(apiVersion, kind string) error {
	if kind == "" {
		return errors.New("it has no kind")
	}
	return fmt.Errorf("it is of kind %q, version %q", kind, apiVersion)
}
