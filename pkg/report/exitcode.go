package report

import (
	"syscall"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// ExitCode documents the exit code of one verdict.
type ExitCode struct {
	Verdict runner.Verdict
	Code    string // for people: the exit code of an interrupted run depends on the signal
	Meaning string
	Remedy  string // what to do about it
}

// ExitCodes lists the exit codes in ascending order, for the usage text and the README.
var ExitCodes = []ExitCode{
	{runner.Pass, "0", "the window ended with fewer crashes than CRASH_LIMIT", "let the release proceed"},
	{runner.Fail, "1", "CRASH_LIMIT was reached", "roll back; the log names the crashed containers and the reasons"},
	{runner.Invalid, "2", "configuration or usage error; nothing was checked", "fix the reported problem, then run it again"},
	{runner.Inconclusive, "3", "the release could not be observed (API server unreachable, access denied), never ran, is gone, or was replaced by another version",
		"do not promote; fix the cause that the reason names (permissions, network, HASH, NAMESPACE, an image), then run it again"},
	{runner.NotReady, "4", "REQUIRE_READY is on, and a pod was not Ready at the final check", "do not promote; kubectl describe pod shows why the pod is not Ready"},
	{runner.Interrupted, "128+n", "signal n ended the run before a verdict about the release was reached (143: SIGTERM, 130: SIGINT)", interruptedRemedy},
}

const interruptedRemedy = "do not promote; find out what ended the run (a deleted Job, its deadline, an eviction), then run it again"

// Code returns the exit code of an outcome.
func Code(o runner.Outcome) int {
	switch o.Verdict {
	case runner.Pass:
		return 0
	case runner.Fail:
		return 1
	case runner.Invalid:
		return 2
	case runner.NotReady:
		return 4
	case runner.Interrupted:
		if signal, ok := o.Signal.(syscall.Signal); ok {
			return 128 + int(signal)
		}
		return 128 + int(syscall.SIGTERM)
	}
	return 3 // inconclusive, and anything that is not a verdict
}
