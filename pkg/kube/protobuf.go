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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// This file decodes a PodList from Kubernetes' protobuf as it arrives: the bytes of one pod at a time are in memory, and
// of each pod only the fields that package checker reads are kept, since it has a hundred times as many. They are these (the
// numbers are those of generated.proto in k8s.io/apimachinery/pkg/runtime, .../apis/meta/v1 and k8s.io/api/core/v1):
//
//	Unknown  typeMeta {apiVersion, kind}, raw: the PodList, contentEncoding
//	PodList  metadata {resourceVersion, continue}, items
//	Pod      metadata {name, namespace, uid, deletionTimestamp}
//	         spec     {restartPolicy, containers and initContainers {name, restartPolicy}: only those with a policy of their own}
//	         status   {phase, conditions {type, status, reason, message}: only Ready and PodScheduled,
//	                   containerStatuses and initContainerStatuses {name, state, lastState, restartCount, containerID}}
//	A state  waiting {reason, message}, running, terminated {exitCode, signal, reason, message, finishedAt, containerID}
//
// Everything else is skipped by its length. The library's own decoder is the oracle in the tests: what is accepted here
// means the same there. Texts that repeat from pod to pod are made once.

// readProtobufPodList decodes a body of media type application/vnd.kubernetes.protobuf. It refuses every other kind.
func readProtobufPodList(body io.Reader) (*checker.PodList, error) {
	in := &stream{from: bufio.NewReaderSize(body, 16<<10), left: -1, buffer: new(bytes.Buffer)}
	if err := in.magic(); err != nil {
		return nil, err
	}
	list, lists := &checker.PodList{}, 0
	var around envelope
	err := in.eachField(func(number protowire.Number, length int64) error {
		if number != envelopeObject {
			value, err := in.value(length)
			if err != nil {
				return err
			}
			return around.field(field{number: number, kind: protowire.BytesType, value: value})
		}
		// The kind comes first, as every API server writes it, or there is no telling what this is.
		if err := around.check("PodList"); err != nil {
			return err
		}
		if lists++; lists > 1 {
			return errors.New("it holds two lists")
		}
		return in.podList(length, list)
	})
	if err != nil {
		return nil, err
	}
	return list, around.check("PodList")
}

// podList decodes a PodList of this many bytes.
func (s *stream) podList(length int64, list *checker.PodList) error {
	in := &stream{from: s.from, left: length, buffer: s.buffer}
	p := podDecoder{words: map[string]string{}}
	return in.eachField(func(number protowire.Number, length int64) error {
		value, err := in.value(length)
		if err != nil {
			return err
		}
		f := field{number: number, kind: protowire.BytesType, value: value}
		switch number {
		case 1:
			return f.message(func(f field) error {
				switch f.number {
				case 2:
					return f.text(&list.ResourceVersion)
				case 3:
					return f.text(&list.Continue)
				}
				return nil
			})
		case 2:
			list.Items = append(list.Items, checker.Pod{})
			pod := &list.Items[len(list.Items)-1]
			if err := p.pod(f, pod); err != nil {
				return err
			}
			if pod.UID == "" { // two bytes could make one: there is no end to how many would fit into a page
				return fmt.Errorf("it holds a pod without UID (%q)", pod.Name)
			}
		}
		return nil
	})
}

// stream reads a protobuf message as it arrives.
type stream struct {
	from   *bufio.Reader
	left   int64         // bytes of the message; negative: it ends where the body does
	buffer *bytes.Buffer // of one field
}

// magic reads what begins each object in Kubernetes' protobuf.
func (s *stream) magic() error {
	start, err := s.from.Peek(len(protobufMagic))
	if len(start) == 0 && err == io.EOF {
		return errEmpty
	}
	if !bytes.Equal(start, protobufMagic) {
		return errNoMagic
	}
	_, err = s.from.Discard(len(protobufMagic))
	return err
}

// lastKnown is the highest number of a field that a list, or what is around it, has today. All of them have a length.
const lastKnown = 4

// eachField calls use with the number and the length of each field that has one: use has to read its value. Numbers, which
// only fields to come can be, are skipped.
func (s *stream) eachField(use func(protowire.Number, int64) error) error {
	for {
		tag, err := binary.ReadUvarint(s)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		number, kind := protowire.DecodeTag(tag)
		if number < protowire.MinValidNumber {
			return fmt.Errorf("it has a field of number %d", number)
		}
		if kind != protowire.BytesType && number <= lastKnown {
			return fmt.Errorf("field %d has wire type %d", number, kind)
		}
		var length uint64
		switch kind {
		case protowire.BytesType:
			length, err = binary.ReadUvarint(s)
			if err == nil && (length > math.MaxInt64 || s.left >= 0 && length > uint64(s.left)) {
				err = io.ErrUnexpectedEOF
			}
			if err == nil {
				err = use(number, int64(length))
			}
		case protowire.VarintType:
			_, err = binary.ReadUvarint(s)
		case protowire.Fixed32Type:
			_, err = s.value(4)
		case protowire.Fixed64Type:
			_, err = s.value(8)
		default:
			err = fmt.Errorf("field %d has wire type %d", number, kind)
		}
		if err != nil {
			return noEOF(err)
		}
	}
}

// ReadByte reads a byte of the message.
func (s *stream) ReadByte() (byte, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	b, err := s.from.ReadByte()
	if s.left > 0 {
		s.left--
		err = noEOF(err)
	}
	return b, err
}

// value reads a field's value. It is good until the next call. No more memory is taken than bytes have come.
func (s *stream) value(length int64) ([]byte, error) {
	if s.left >= 0 && length > s.left {
		return nil, io.ErrUnexpectedEOF
	}
	s.buffer.Reset()
	s.buffer.Grow(int(min(length, 64<<10)) + bytes.MinRead)
	n, err := s.buffer.ReadFrom(io.LimitReader(s.from, length))
	if s.left >= 0 {
		s.left -= n
	}
	if err == nil && n < length {
		err = io.ErrUnexpectedEOF
	}
	return s.buffer.Bytes(), err
}

// noEOF keeps an end in the middle from being taken for the end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// protobufMagic begins each object in Kubernetes' protobuf; a runtime.Unknown follows, which wraps the object.
var protobufMagic = []byte("k8s\x00")

var (
	errEmpty   = errors.New("it is empty")
	errNoMagic = errors.New("it does not begin as Kubernetes' protobuf does")
)

// envelope is a runtime.Unknown.
type envelope struct {
	apiVersion, kind string
	object           []byte
	encoding         []byte
}

// envelopeObject is the number of the field that holds the object.
const envelopeObject = 2

func (e *envelope) field(f field) (err error) {
	switch f.number {
	case 1: // typeMeta
		return f.message(func(f field) error {
			switch f.number {
			case 1:
				return f.text(&e.apiVersion)
			case 2:
				return f.text(&e.kind)
			}
			return nil
		})
	case envelopeObject:
		e.object, err = f.bytes()
	case 3:
		e.encoding, err = f.bytes()
		e.encoding = bytes.Clone(e.encoding)
	}
	return err
}

// check returns an error unless the object is of this kind and of version v1.
func (e *envelope) check(wantKind string) error {
	switch {
	case e.apiVersion != "v1" || e.kind != wantKind:
		return errOtherKind(e.apiVersion, e.kind)
	case len(e.encoding) > 0:
		return fmt.Errorf("it is encoded as %q", e.encoding)
	}
	return nil
}

// unwrapProtobuf returns the object in a body of media type application/vnd.kubernetes.protobuf, which must be of this
// kind, and of version v1.
func unwrapProtobuf(body []byte, wantKind string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(body, protobufMagic)
	if !ok {
		return nil, errNoMagic
	}
	var around envelope
	if err := eachField(rest, around.field); err != nil {
		return nil, err
	}
	return around.object, around.check(wantKind)
}

// podDecoder decodes pods of one list.
type podDecoder struct {
	words map[string]string // texts that repeat
}

// word reads a text that is likely to repeat.
func (p podDecoder) word(f field, to *string) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	word, known := p.words[string(b)]
	if !known {
		word = string(b)
		p.words[word] = word
	}
	*to = word
	return nil
}

func (p podDecoder) pod(f field, pod *checker.Pod) error {
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			return p.metadata(f, &pod.PodMeta)
		case 2:
			return p.spec(f, &pod.Spec)
		case 3:
			return p.status(f, &pod.Status)
		}
		return nil
	})
}

func (p podDecoder) metadata(f field, meta *checker.PodMeta) error {
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			return f.text(&meta.Name)
		case 3:
			return p.word(f, &meta.Namespace)
		case 5:
			return f.text((*string)(&meta.UID))
		case 9:
			if meta.DeletionTimestamp == nil {
				meta.DeletionTimestamp = &metav1.Time{}
			}
			return f.time(meta.DeletionTimestamp)
		}
		return nil
	})
}

func (p podDecoder) spec(f field, spec *checker.PodSpec) error {
	return f.message(func(f field) error {
		switch f.number {
		case 2:
			return p.container(f, &spec.Containers)
		case 3:
			return p.word(f, (*string)(&spec.RestartPolicy))
		case 20:
			return p.container(f, &spec.InitContainers)
		}
		return nil
	})
}

// container appends a container if it has a restart policy of its own.
func (p podDecoder) container(f field, to *[]checker.Container) error {
	var name, policy field
	err := f.message(func(f field) error {
		switch f.number {
		case 1:
			name = f
		case 24:
			policy = f
		}
		return nil
	})
	if err != nil || policy.number == 0 {
		return err
	}
	var c checker.Container
	if err := p.word(policy, (*string)(&c.RestartPolicy)); err != nil {
		return err
	}
	if name.number != 0 {
		if err := p.word(name, &c.Name); err != nil {
			return err
		}
	}
	*to = append(*to, c)
	return nil
}

func (p podDecoder) status(f field, status *checker.PodStatus) error {
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			return p.word(f, (*string)(&status.Phase))
		case 2:
			return p.condition(f, &status.Conditions)
		case 8:
			return p.containerStatus(f, &status.ContainerStatuses)
		case 10:
			return p.containerStatus(f, &status.InitContainerStatuses)
		}
		return nil
	})
}

// condition appends a condition if package checker looks at its type.
func (p podDecoder) condition(f field, to *[]checker.PodCondition) error {
	var kind, status, reason, message field
	err := f.message(func(f field) error {
		switch f.number {
		case 1:
			kind = f
		case 2:
			status = f
		case 5:
			reason = f
		case 6:
			message = f
		}
		return nil
	})
	if err != nil || kind.number == 0 {
		return err
	}
	if name, err := kind.bytes(); err != nil || string(name) != "Ready" && string(name) != "PodScheduled" {
		return err
	}
	var c checker.PodCondition
	for _, text := range []struct {
		field field
		to    *string
	}{{kind, &c.Type}, {status, &c.Status}, {reason, &c.Reason}, {message, &c.Message}} {
		if text.field.number == 0 {
			continue
		}
		if err := p.word(text.field, text.to); err != nil {
			return err
		}
	}
	*to = append(roomForTwo(*to), c)
	return nil
}

// roomForTwo makes room for as many as most pods have of something, at once and not one by one.
func roomForTwo[T any](all []T) []T {
	if all == nil {
		return make([]T, 0, 2)
	}
	return all
}

func (p podDecoder) containerStatus(f field, to *[]checker.ContainerStatus) error {
	*to = append(roomForTwo(*to), checker.ContainerStatus{})
	status := &(*to)[len(*to)-1]
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			return p.word(f, &status.Name)
		case 2:
			return p.state(f, &status.State)
		case 3:
			return p.state(f, &status.LastTerminationState)
		case 5:
			return f.int32(&status.RestartCount)
		case 8:
			return f.text(&status.ContainerID)
		}
		return nil
	})
}

func (p podDecoder) state(f field, state *checker.ContainerState) error {
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			if state.Waiting == nil {
				state.Waiting = &checker.ContainerStateWaiting{}
			}
			return f.message(func(f field) error {
				switch f.number {
				case 1:
					return p.word(f, &state.Waiting.Reason)
				case 2:
					return p.word(f, &state.Waiting.Message)
				}
				return nil
			})
		case 2:
			if state.Running == nil {
				state.Running = &checker.ContainerStateRunning{}
			}
			return f.message(func(field) error { return nil }) // that it runs is enough
		case 3:
			if state.Terminated == nil {
				state.Terminated = &checker.ContainerStateTerminated{}
			}
			return p.terminated(f, state.Terminated)
		}
		return nil
	})
}

func (p podDecoder) terminated(f field, end *checker.ContainerStateTerminated) error {
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			return f.int32(&end.ExitCode)
		case 2:
			return f.int32(&end.Signal)
		case 3:
			return p.word(f, &end.Reason)
		case 4:
			return p.word(f, &end.Message)
		case 6:
			return f.time(&end.FinishedAt)
		case 7:
			return f.text(&end.ContainerID)
		}
		return nil
	})
}

// field is one field of a protobuf message.
type field struct {
	number protowire.Number
	kind   protowire.Type
	value  []byte // of a length-delimited field
	varint uint64
}

// eachField calls use with each field of a message. A message that is cut off or malformed is an error.
func eachField(message []byte, use func(field) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		f := field{number: number, kind: kind}
		switch kind {
		case protowire.BytesType:
			f.value, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := use(f); err != nil {
			return err
		}
	}
	return nil
}

func (f field) bytes() ([]byte, error) {
	if f.kind != protowire.BytesType {
		return nil, fmt.Errorf("field %d has wire type %d", f.number, f.kind)
	}
	return f.value, nil
}

// message calls use with each field of the message that this field holds.
func (f field) message(use func(field) error) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	return eachField(b, use)
}

func (f field) text(to *string) error {
	b, err := f.bytes()
	*to = string(b)
	return err
}

func (f field) int32(to *int32) error {
	if f.kind != protowire.VarintType {
		return fmt.Errorf("field %d has wire type %d", f.number, f.kind)
	}
	*to = int32(f.varint)
	return nil
}

// time reads a metav1.Time. As the library does, it leaves out fractions of seconds.
func (f field) time(to *metav1.Time) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	return to.Unmarshal(b) // the library's own: times are few
}
