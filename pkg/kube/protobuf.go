package kube

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// protobufMagic precedes each object in Kubernetes' protobuf. A runtime.Unknown follows, which contains the object.
var protobufMagic = []byte("k8s\x00")

// readProtobuf decodes a PodList in protobuf, one pod at a time. The numbers of fields are those of message Unknown in
// k8s.io/apimachinery/pkg/runtime/generated.proto and message PodList in k8s.io/api/core/v1/generated.proto.
func (l *listReader) readProtobuf(from *bufio.Reader) error {
	start := make([]byte, len(protobufMagic))
	if _, err := io.ReadFull(from, start); err != nil {
		return err
	}
	if !bytes.Equal(start, protobufMagic) {
		return errors.New("not in Kubernetes' protobuf format")
	}
	in := &fieldReader{from: from, left: math.MaxInt64}
	for {
		number, length, err := in.next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case number == 2: // raw, which API servers write after typeMeta
			if err := l.readProtobufList(&fieldReader{from: from, left: length}); err != nil {
				return err
			}
			continue
		}
		value, err := in.value(length)
		if err != nil {
			return err
		}
		if number == 1 { // typeMeta
			var meta runtime.TypeMeta
			if err := meta.Unmarshal(value); err != nil {
				return err
			}
			l.header.TypeMeta = metav1.TypeMeta{Kind: meta.Kind, APIVersion: meta.APIVersion}
		}
	}
}

func (l *listReader) readProtobufList(in *fieldReader) error {
	if l.hasItems {
		return errItemsTwice
	}
	l.hasItems = true
	if err := checkKind(l.header.TypeMeta, "v1", "PodList"); err != nil {
		return err
	}
	pod := &corev1.Pod{}
	for in.left > 0 {
		number, length, err := in.next()
		if err != nil {
			return err
		}
		value, err := in.value(length)
		if err != nil {
			return err
		}
		switch number {
		case 1: // metadata
			err = l.header.ListMeta.Unmarshal(value)
		case 2: // items
			if err = decodePod(value, pod); err == nil {
				err = l.visitPod(pod)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decodePod decodes those fields of a pod that are in podMask. It overwrites the message, and reuses the pod's slices.
func decodePod(message []byte, pod *corev1.Pod) error {
	message, err := podMask.thin(message)
	if err != nil {
		return err
	}
	spec, status := &pod.Spec, &pod.Status
	*pod = corev1.Pod{
		Spec: corev1.PodSpec{
			Containers:     spec.Containers[:0],
			InitContainers: spec.InitContainers[:0],
		},
		Status: corev1.PodStatus{
			Conditions:            status.Conditions[:0],
			ContainerStatuses:     status.ContainerStatuses[:0],
			InitContainerStatuses: status.InitContainerStatuses[:0],
		},
	}
	return pod.Unmarshal(message)
}

// fieldReader reads the fields of a protobuf message from a stream, one at a time.
type fieldReader struct {
	from   *bufio.Reader
	left   int64        // bytes of the message
	buffer bytes.Buffer // of the field's value
}

// ReadByte reads a byte of a field's header.
func (r *fieldReader) ReadByte() (byte, error) {
	r.left--
	return r.from.ReadByte()
}

// next returns the number of the next field and the length of its value. All fields of a PodList and its envelope have a length.
// At the end of the stream, the error is io.EOF.
func (r *fieldReader) next() (number protowire.Number, length int64, err error) {
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, 0, err
	}
	number, kind := protowire.DecodeTag(tag)
	if kind != protowire.BytesType || !number.IsValid() {
		return 0, 0, fmt.Errorf("field %d has wire type %d", number, kind)
	}
	size, err := binary.ReadUvarint(r)
	if r.left -= int64(size); err != nil || size > math.MaxInt64 || r.left < 0 {
		return 0, 0, io.ErrUnexpectedEOF
	}
	return number, int64(size), nil
}

// value reads the value of a field. It is valid until the next call. Its memory grows with the bytes that have arrived, not
// with the length that the message claims.
func (r *fieldReader) value(length int64) ([]byte, error) {
	r.buffer.Reset()
	_, err := io.CopyN(&r.buffer, r.from, length)
	return r.buffer.Bytes(), err
}
