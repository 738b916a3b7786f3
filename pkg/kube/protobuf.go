package kube

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// This file decodes a PodList from Kubernetes' protobuf: of each pod only the fields that package checker reads, since
// a pod has a hundred times as many. They are these (the numbers are those of generated.proto in k8s.io/api/core/v1 and
// k8s.io/apimachinery/pkg/apis/meta/v1):
//
//	PodList  metadata {resourceVersion, continue}, items
//	Pod      metadata {name, namespace, uid, deletionTimestamp}
//	         spec     {restartPolicy, containers and initContainers {name, restartPolicy}: only those with a policy of their own}
//	         status   {phase, conditions {type, status, reason, message}: only Ready and PodScheduled,
//	                   containerStatuses and initContainerStatuses {name, state, lastState, restartCount, containerID}}
//	A state  waiting {reason, message}, running, terminated {exitCode, signal, reason, message, finishedAt, containerID}
//
// Everything else is skipped by its length. The library's own decoder is the oracle in the tests: on these fields both
// agree, whatever the input. Texts that repeat from pod to pod are made once.

// protobufMagic begins each object in Kubernetes' protobuf; a runtime.Unknown follows, which wraps the object.
var protobufMagic = []byte("k8s\x00")

// unwrapProtobuf returns the object in a body of media type application/vnd.kubernetes.protobuf, which must be of this
// kind, and of version v1.
func unwrapProtobuf(body []byte, wantKind string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(body, protobufMagic)
	if !ok {
		return nil, errors.New("it does not begin as Kubernetes' protobuf does")
	}
	var apiVersion, kind string
	var encoding, object []byte
	err := eachField(rest, func(f field) (err error) {
		switch f.number {
		case 1: // typeMeta
			return f.message(func(f field) (err error) {
				switch f.number {
				case 1:
					err = f.text(&apiVersion)
				case 2:
					err = f.text(&kind)
				}
				return err
			})
		case 2:
			object, err = f.bytes()
		case 3:
			encoding, err = f.bytes()
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case apiVersion != "v1" || kind != wantKind:
		return nil, errOtherKind(apiVersion, kind)
	case len(encoding) > 0:
		return nil, fmt.Errorf("it is encoded as %q", encoding)
	}
	return object, nil
}

// decodeProtobufPodList decodes a body of media type application/vnd.kubernetes.protobuf. It refuses every other kind.
func decodeProtobufPodList(body []byte) (*corev1.PodList, error) {
	object, err := unwrapProtobuf(body, "PodList")
	if err != nil {
		return nil, err
	}
	items := 0
	if err := eachField(object, func(f field) error {
		if f.number == 2 {
			items++
		}
		return nil
	}); err != nil {
		return nil, err
	}
	list := &corev1.PodList{}
	if items > 0 {
		list.Items = make([]corev1.Pod, 0, items)
	}
	p := podDecoder{words: map[string]string{}}
	err = eachField(object, func(f field) error {
		switch f.number {
		case 1: // metadata
			return f.message(func(f field) (err error) {
				switch f.number {
				case 2:
					err = f.text(&list.ResourceVersion)
				case 3:
					err = f.text(&list.Continue)
				}
				return err
			})
		case 2: // items
			list.Items = append(list.Items, corev1.Pod{})
			return p.pod(f, &list.Items[len(list.Items)-1])
		}
		return nil
	})
	return list, err
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

func (p podDecoder) pod(f field, pod *corev1.Pod) error {
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			return p.metadata(f, &pod.ObjectMeta)
		case 2:
			return p.spec(f, &pod.Spec)
		case 3:
			return p.status(f, &pod.Status)
		}
		return nil
	})
}

func (p podDecoder) metadata(f field, meta *metav1.ObjectMeta) error {
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

func (p podDecoder) spec(f field, spec *corev1.PodSpec) error {
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
func (p podDecoder) container(f field, to *[]corev1.Container) error {
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
	c := corev1.Container{RestartPolicy: new(corev1.ContainerRestartPolicy)}
	if err := p.word(policy, (*string)(c.RestartPolicy)); err != nil {
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

func (p podDecoder) status(f field, status *corev1.PodStatus) error {
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
func (p podDecoder) condition(f field, to *[]corev1.PodCondition) error {
	var c corev1.PodCondition
	err := f.message(func(f field) error {
		switch f.number {
		case 1:
			return p.word(f, (*string)(&c.Type))
		case 2:
			return p.word(f, (*string)(&c.Status))
		case 5:
			return p.word(f, &c.Reason)
		case 6:
			return p.word(f, &c.Message)
		}
		return nil
	})
	if err == nil && (c.Type == corev1.PodReady || c.Type == corev1.PodScheduled) {
		*to = append(*to, c)
	}
	return err
}

func (p podDecoder) containerStatus(f field, to *[]corev1.ContainerStatus) error {
	*to = append(*to, corev1.ContainerStatus{})
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

func (p podDecoder) state(f field, state *corev1.ContainerState) error {
	return f.message(func(f field) error {
		switch f.number {
		case 1:
			if state.Waiting == nil {
				state.Waiting = &corev1.ContainerStateWaiting{}
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
				state.Running = &corev1.ContainerStateRunning{}
			}
			return f.message(func(field) error { return nil }) // that it runs is enough
		case 3:
			if state.Terminated == nil {
				state.Terminated = &corev1.ContainerStateTerminated{}
			}
			return p.terminated(f, state.Terminated)
		}
		return nil
	})
}

func (p podDecoder) terminated(f field, end *corev1.ContainerStateTerminated) error {
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
