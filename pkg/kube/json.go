package kube

import (
	"errors"
	"io"

	gojson "encoding/json"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
)

// readJSON decodes a PodList in JSON, which comes from API servers, or proxies in front of them, that do not support
// protobuf. The keys of the list can be in any order, and unknown keys are skipped.
func (l *listReader) readJSON(from io.Reader) error {
	in := json.NewDecoderCaseSensitivePreserveInts(from)
	start, err := in.Token()
	switch {
	case err != nil:
		return err
	case start != gojson.Delim('{'):
		return errors.New("the response is not a JSON object")
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return err
		}
		switch key {
		case "kind":
			err = in.Decode(&l.header.Kind)
		case "apiVersion":
			err = in.Decode(&l.header.APIVersion)
		case "metadata":
			err = in.Decode(&l.header.ListMeta)
		case "items":
			err = l.readJSONItems(in)
		default:
			err = in.Decode(&gojson.RawMessage{})
		}
		if err != nil {
			return err
		}
	}
	if _, err := in.Token(); err != nil { // the end of the object
		return err
	}
	if _, err := in.Token(); err != io.EOF {
		return errors.New("data after the end of the list")
	}
	return nil
}

func (l *listReader) readJSONItems(in json.Decoder) error {
	if l.hasItems {
		return errItemsTwice
	}
	l.hasItems = true
	start, err := in.Token()
	switch {
	case err != nil || start == nil: // null is an empty list
		return err
	case start != gojson.Delim('['):
		return errors.New("items is not a list")
	}
	for in.More() {
		var pod corev1.Pod
		if err := in.Decode(&pod); err != nil {
			return err
		}
		if err := l.visitPod(&pod); err != nil {
			return err
		}
	}
	_, err = in.Token() // the end of the list
	return err
}
