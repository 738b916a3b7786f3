package checker

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// maxMessage is the number of bytes of a message from the cluster that is kept: thousands of pods may have one.
const maxMessage = 512

// Termination says how a container terminated: [corev1.ContainerStateTerminated], as far as people need it. For a crash of
// kind [Pod] only Reason and Message are known.
type Termination struct {
	ExitCode   int32
	Signal     int32     // 0: unknown
	Reason     string    // such as Error or OOMKilled
	Message    string    // the container's termination message, at most 512 bytes
	FinishedAt time.Time // zero: unknown
}

// String describes the termination, such as "exit code 137 (OOMKilled)". It may contain text from the cluster, unescaped.
func (t *Termination) String() string {
	if t == nil {
		return "exit code unknown"
	}
	text := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Signal != 0 {
		text += fmt.Sprintf(", signal %d", t.Signal)
	}
	if t.Reason != "" && t.Reason != "Error" { // "Error" only says that the exit code is not 0
		text += " (" + t.Reason + ")"
	}
	return text
}

func newTermination(t *corev1.ContainerStateTerminated) *Termination {
	termination := &Termination{ExitCode: t.ExitCode, Signal: t.Signal, Reason: cut(t.Reason), Message: cut(t.Message)}
	if t.FinishedAt.Unix() > 0 { // an unknown time may arrive as the epoch
		termination.FinishedAt = t.FinishedAt.UTC().Truncate(time.Second) // the API has no fractions
	}
	return termination
}

// cut shortens a text from the cluster to maxMessage bytes, between two characters.
func cut(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}
