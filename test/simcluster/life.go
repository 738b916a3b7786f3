package simcluster

import (
	"fmt"
	"time"
)

// How long the simulated kubelet takes, in simulated time. The back-off is the kubelet's default: none before the
// first restart, 10 s before the second, doubled from then on up to 5 min, reset after a run of 10 min.
const (
	schedulingTime = 100 * time.Millisecond
	startupTime    = 2 * time.Second
	restartTime    = 300 * time.Millisecond
	initWorkTime   = time.Second

	backOffBase  = 10 * time.Second
	backOffCap   = 5 * time.Minute
	backOffReset = 10 * time.Minute

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
	// Crashes is the number of runs that crash; later ones do not. 0 means that all crash.
	Crashes int
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

// OOMKilled is the Life of a container that runs out of memory after each run of the given length.
func OOMKilled(after time.Duration) Life {
	return Life{CrashAfter: after, ExitCode: 137, Reason: "OOMKilled"}
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

func (l Life) crashes(run int) bool {
	return l.CrashAfter > 0 && (l.Crashes == 0 || run < l.Crashes)
}

// pause is the time between the end of the given run and the start of the next one.
func (l Life) pause(run int) time.Duration {
	if run == 0 || l.CrashAfter >= backOffReset {
		return restartTime
	}
	return backOff(run)
}

// backOff is the delay before the restart that follows the given run, which is not the first.
func backOff(run int) time.Duration {
	delay := backOffBase
	for range run - 1 {
		if delay *= 2; delay >= backOffCap {
			return backOffCap
		}
	}
	return delay
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
	since time.Duration

	runStart, runEnd time.Duration // of the latest run; runEnd only once it has ended
	lastStart        time.Duration // of the run before, if there was one
	lastEnd          time.Duration
}

// at is the container's moment at the given age. A run that does not crash ends after worksFor, or never if that is 0.
func (l Life) at(age, worksFor time.Duration) moment {
	if age < 0 || l.Waiting != "" {
		return moment{phase: notStarted}
	}
	m := moment{}
	for ; l.crashes(m.run); m.run++ {
		m.runEnd = m.runStart + l.CrashAfter
		if age < m.runEnd {
			m.phase, m.since = running, m.runStart
			return m
		}
		pause := l.pause(m.run)
		if next := m.runEnd + pause; age >= next {
			m.lastStart, m.lastEnd, m.runStart = m.runStart, m.runEnd, next
			continue
		}
		m.phase, m.since = terminated, m.runEnd
		sync := m.runEnd + min(pause/2, longestUntilSync)
		if pause > restartTime && age >= sync {
			m.phase, m.since = crashLooping, sync
		}
		return m
	}
	m.phase, m.since = running, m.runStart
	if m.runEnd = m.runStart + worksFor; worksFor > 0 && age >= m.runEnd {
		m.phase, m.since = succeeded, m.runEnd
	}
	return m
}

// done is the age at which an init container of this Life has completed.
func (l Life) done() (age time.Duration, ever bool) {
	if l.Waiting != "" || l.CrashAfter > 0 && l.Crashes == 0 {
		return 0, false
	}
	for run := range l.Crashes {
		age += l.CrashAfter + l.pause(run)
	}
	return age + initWorkTime, true
}
