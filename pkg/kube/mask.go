package kube

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// podMask selects the fields of a pod that package checker reads. The numbers are those of generated.proto in
// k8s.io/api/core/v1 and, for metadata, k8s.io/apimachinery/pkg/apis/meta/v1.
var podMask = mask{
	1: { // metadata
		1: all, // name
		3: all, // namespace
		5: all, // uid
		9: all, // deletionTimestamp
	},
	2: { // spec
		2:  containerMask, // containers
		3:  all,           // restartPolicy
		10: all,           // nodeName
		20: containerMask, // initContainers
	},
	3: { // status
		1: all, // phase
		2: { // conditions
			1: all, // type
			2: all, // status
			5: all, // reason
			6: all, // message
		},
		3:  all,                 // message
		4:  all,                 // reason
		8:  containerStatusMask, // containerStatuses
		10: containerStatusMask, // initContainerStatuses
	},
}

var containerMask = mask{
	1:  all, // name
	24: all, // restartPolicy
	25: all, // restartPolicyRules
}

var containerStatusMask = mask{
	1: all, // name
	2: all, // state
	3: all, // lastState
	5: all, // restartCount
	8: all, // containerID
}

// mask selects fields of a protobuf message by their numbers. A field without an entry is removed, one with the entry all is
// kept, and one with another mask is a message to which that mask applies.
type mask []mask

var all = mask{}

// thin returns the message with only the fields in the mask. It overwrites the message: what is kept moves to its front.
func (m mask) thin(message []byte) ([]byte, error) {
	kept := message[:0] // always ends at or before rest
	for rest := message; len(rest) > 0; {
		number, kind, size := protowire.ConsumeField(rest)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		field := rest[:size]
		rest = rest[size:]
		switch {
		case int(number) >= len(m) || m[number] == nil:
			// removed
		case len(m[number]) == 0:
			kept = append(kept, field...)
		case kind != protowire.BytesType:
			return nil, fmt.Errorf("field %d has wire type %d", number, kind)
		default:
			_, _, tag := protowire.ConsumeTag(field)
			value, _ := protowire.ConsumeBytes(field[tag:])
			value, err := m[number].thin(value)
			if err != nil {
				return nil, err
			}
			kept = append(kept, field[:tag]...)
			kept = protowire.AppendBytes(kept, value)
		}
	}
	return kept, nil
}
