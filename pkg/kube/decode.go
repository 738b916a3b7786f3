package kube

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// decoders know the objects of core/v1, and metav1.Status, by media type.
var decoders = func() map[string]runtime.Decoder {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	return map[string]runtime.Decoder{
		mediaJSON:     json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{}),
		mediaProtobuf: protobuf.NewSerializer(scheme, scheme),
	}
}()

// decodePodList decodes an answer that has to be a list of pods, whole and real: the object's kind must be PodList
// (nothing is assumed, as the typed clients do), and it must have a resourceVersion.
func decodePodList(body []byte, contentType string) (*corev1.PodList, error) {
	object, err := decode(body, contentType)
	if err != nil {
		return nil, fmt.Errorf("the answer is no list of pods: %w", err)
	}
	list, ok := object.(*corev1.PodList)
	// The decoder also takes a "KIND" for a kind, but not "ITEMS" for items: only what it has read as kind counts.
	if !ok || list.Kind != "PodList" {
		return nil, fmt.Errorf("the answer is no list of pods, but of kind %q", object.GetObjectKind().GroupVersionKind().Kind)
	}
	if list.ResourceVersion == "" {
		return nil, errors.New("the answer is no real list of pods: it has no resourceVersion")
	}
	return list, nil
}

// decodeStatus returns the metav1.Status in the body of an error, or nil.
func decodeStatus(body []byte, contentType string) *metav1.Status {
	object, err := decode(body, contentType)
	if err != nil {
		return nil
	}
	status, _ := object.(*metav1.Status)
	return status
}

func decode(body []byte, contentType string) (runtime.Object, error) {
	decoder, ok := decoders[mediaType(contentType)]
	switch {
	case !ok:
		return nil, fmt.Errorf("it has the content type %q", contentType)
	case len(body) == 0:
		return nil, errors.New("it is empty")
	}
	object, _, err := decoder.Decode(body, nil, nil)
	return object, err
}
