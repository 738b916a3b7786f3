package report

import (
	"syscall"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// ExitCode documents the exit code of one verdict.
type ExitCode struct {
	Verdict runner.Verdict
	Code    string // for people: that of an interrupted run depends on the signal
	Meaning string
	Remedy  string // what to do about it
}

// ExitCodes lists the exit codes in their order, for the usage text and the README.
var ExitCodes = []ExitCode{
	{runner.Pass, "0", "the window closed below the limit", "let the release go on"},
	{runner.Fail, "1", "CRASH_LIMIT was reached", "roll back; the log names the containers that crashed, and why"},
	{runner.Invalid, "2", "configuration or usage error; nothing was checked", "mend what the message names, then run it again"},
	{runner.Inconclusive, "3", "could not observe: the API server is unreachable or denies access, or fewer than MIN_PODS pods matched",
		"do not promote; mend what the reason names (permissions, network, HASH, NAMESPACE), then run it again"},
	{runner.NotReady, "4", "REQUIRE_READY is on, and a pod was not Ready at the closing check", "do not promote; kubectl describe pod says why it is not Ready"},
	{runner.Interrupted, "128+n", "ended by signal n before there was a verdict (143: SIGTERM, 130: SIGINT)",
		"do not promote; find out who ended it (a deleted Job, its deadline, an eviction), then run it again"},
}

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
		if signal, ok := o.Signal.(syscall.Signal); ok && signal > 0 {
			return 128 + int(signal)
		}
		return 128 + int(syscall.SIGTERM)
	}
	return 3 // inconclusive, and whatever is no verdict
}
