package simcluster

import (
	"fmt"
	"time"
)

// How long the simulated kubelet takes, in simulated time. The back-off is the kubelet's default: none before the
// first restart, 10 s before the second, doubled from then on up to 5 min.
const (
	schedulingTime = 100 * time.Millisecond
	startupTime    = 2 * time.Second
	restartTime    = 300 * time.Millisecond
	initWorkTime   = time.Second

	backOffBase = 10 * time.Second
	backOffCap  = 5 * time.Minute

	// The kubelet reports CrashLoopBackOff at its next sync of the pod, up to about a minute after the crash.
	longestUntilSync = time.Minute
)

// A Life describes what one container does in each of its runs. With the zero Life, a container starts and keeps running; an
// init container completes after a second.
type Life struct {
	// Waiting is the reason for which the container never starts, for example ImagePullBackOff. Message explains it.
	Waiting string

	// CrashAfter is how long each run lasts before it crashes. 0 means that it does not crash.
	CrashAfter time.Duration
	// ExitCode and Reason describe each crash. An empty Reason is the kubelet's own: Error, or Completed for exit code 0.
	ExitCode int32
	Reason   string

	// Message is the termination message of each crash, or the message of Waiting.
	Message string
}

// CrashLoop is the Life of a container that terminates with exitCode after each run of the given length.
func CrashLoop(after time.Duration, exitCode int32) Life {
	return Life{CrashAfter: after, ExitCode: exitCode}
}

// NeverStarts is the Life of a container that the kubelet cannot start, for example because of CreateContainerConfigError.
func NeverStarts(reason, message string) Life {
	return Life{Waiting: reason, Message: message}
}

// CannotPull is the Life of a main container whose image does not exist, with the kubelet's message.
func CannotPull() Life {
	image := image(AppContainer)
	return NeverStarts("ImagePullBackOff", fmt.Sprintf(`Back-off pulling image %[1]q: ErrImagePull: failed to pull and unpack image %[1]q: failed to resolve reference %[1]q: %[1]s: not found`, image))
}

func (l Life) reason() string {
	switch {
	case l.Reason != "":
		return l.Reason
	case l.ExitCode == 0:
		return "Completed"
	default:
		return "Error"
	}
}

// pause is the time between the end of the given run and the start of the next one.
func pause(run int) time.Duration {
	if run == 0 {
		return restartTime
	}
	return min(backOffBase<<min(run-1, 5), backOffCap)
}

type phase int

const (
	notStarted phase = iota
	running
	terminated   // the kubelet reports the termination
	crashLooping // the kubelet reports that it delays the restart
	succeeded    // an init container that has completed
)

// A moment is a container's position in its Life. Times count from when the container could first start.
type moment struct {
	phase phase
	run   int // the latest one, which is the restart count

	runStart, runEnd   time.Duration // of the latest run; runEnd only once it has ended
	lastStart, lastEnd time.Duration // of the run before, if there was one
}

// at is the container's moment at the given age. A run that does not crash ends after worksFor, or never if that is 0.
func (l Life) at(age, worksFor time.Duration) moment {
	m := moment{phase: running}
	switch {
	case age < 0 || l.Waiting != "":
		return moment{phase: notStarted}
	case l.CrashAfter == 0 && worksFor > 0 && age >= worksFor:
		return moment{phase: succeeded, runEnd: worksFor}
	case l.CrashAfter == 0:
		return m
	}
	for m.runEnd = l.CrashAfter; age >= m.runEnd; m.runEnd = m.runStart + l.CrashAfter {
		pause := pause(m.run)
		if next := m.runEnd + pause; age >= next {
			m.lastStart, m.lastEnd, m.runStart = m.runStart, m.runEnd, next
			m.run++
			continue
		}
		m.phase = terminated
		if m.run > 0 && age >= m.runEnd+min(pause/2, longestUntilSync) {
			m.phase = crashLooping
		}
		return m
	}
	return m
}
