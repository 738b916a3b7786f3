package kube

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

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
	start, err := from.Peek(len(protobufMagic))
	switch {
	case len(start) == 0 && err == io.EOF:
		return errEmptyBody
	case !bytes.Equal(start, protobufMagic):
		return errors.New("not in Kubernetes' protobuf format")
	}
	_, _ = from.Discard(len(start)) // in the buffer already

	in := &messageReader{from: from}
	return in.fields(untilEOF, func(number protowire.Number, length int64) error {
		if number == 2 { // raw, which API servers write after typeMeta
			if err := checkKind(l.kind, "v1", "PodList"); err != nil {
				return err
			}
			return l.readProtobufList(in, length)
		}
		value, err := in.value(length)
		if err != nil {
			return err
		}
		switch number {
		case 1: // typeMeta
			var meta runtime.TypeMeta
			err = meta.Unmarshal(value)
			l.kind = metav1.TypeMeta{Kind: meta.Kind, APIVersion: meta.APIVersion}
		case 3: // contentEncoding
			if length > 0 {
				err = fmt.Errorf("unsupported content encoding %q", value)
			}
		}
		return err
	})
}

func (l *listReader) readProtobufList(in *messageReader, size int64) error {
	if l.hasItems {
		return errItemsTwice
	}
	l.hasItems = true
	pod := &corev1.Pod{}
	return in.fields(size, func(number protowire.Number, length int64) error {
		value, err := in.value(length)
		if err != nil {
			return err
		}
		switch number {
		case 1: // metadata
			return l.meta.Unmarshal(value)
		case 2: // items
			if err := decodePod(value, pod); err != nil {
				return err
			}
			return l.visitPod(pod)
		}
		return nil
	})
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

// messageReader reads protobuf messages from a stream, one field at a time.
type messageReader struct {
	from   *bufio.Reader
	buffer []byte // of the field's value
}

// untilEOF is the size of a message that ends with the stream.
const untilEOF = math.MaxInt64

// lastKnownField is the highest number of a field in a PodList or its envelope. All of them have a length.
const lastKnownField = 4

// fields calls use with the number and the length of each field of a message that has a length. use has to read the value.
// Numbers are skipped: only fields of a future version can be numbers.
func (r *messageReader) fields(size int64, use func(protowire.Number, int64) error) error {
	mayEnd := size == untilEOF
	for size > 0 {
		header, err := r.from.Peek(2 * binary.MaxVarintLen64) // a tag, and a length or a number
		switch {
		case mayEnd && len(header) == 0 && err == io.EOF:
			return nil
		case len(header) == 0 || err != nil && err != io.EOF:
			return unexpected(err)
		}
		header = header[:min(int64(len(header)), size)]
		number, kind, tag := protowire.ConsumeTag(header)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		if kind != protowire.BytesType && number <= lastKnownField {
			return fmt.Errorf("field %d has wire type %d", number, kind)
		}
		var length uint64
		var rest int // bytes of the header after the tag
		if kind == protowire.BytesType {
			length, rest = protowire.ConsumeVarint(header[tag:])
		} else {
			rest = protowire.ConsumeFieldValue(number, kind, header[tag:])
		}
		if rest < 0 {
			return protowire.ParseError(rest)
		}
		_, _ = r.from.Discard(tag + rest) // in the buffer already
		size -= int64(tag + rest)
		if length > uint64(size) {
			return io.ErrUnexpectedEOF
		}
		size -= int64(length)
		if kind != protowire.BytesType {
			continue
		}
		if err := use(number, int64(length)); err != nil {
			return err
		}
	}
	return nil
}

// value reads the value of a field. It is valid until the next call. Its memory grows with the bytes that have arrived, not
// with the length that the message claims.
func (r *messageReader) value(length int64) ([]byte, error) {
	const step = 64 << 10
	r.buffer = r.buffer[:0]
	for length > 0 {
		n := int(min(length, step))
		r.buffer = slices.Grow(r.buffer, n)
		end := len(r.buffer) + n
		if _, err := io.ReadFull(r.from, r.buffer[len(r.buffer):end]); err != nil {
			return nil, unexpected(err)
		}
		r.buffer = r.buffer[:end]
		length -= int64(n)
	}
	return r.buffer, nil
}
