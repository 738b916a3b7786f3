package report

import (
	"syscall"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// ExitCode documents the exit code of one verdict.
type ExitCode struct {
	Verdict runner.Verdict
	Code    string // as people write it
	Meaning string
	Remedy  string // what to do about it
}

// ExitCodes lists the exit codes in their order, for the usage text and the README.
var ExitCodes = []ExitCode{
	{runner.Pass, "0", "the window closed below the limit", "nothing: let the release go on"},
	{runner.Fail, "1", "CRASH_LIMIT was reached", "roll back; the summary names the containers that crashed, and why"},
	{runner.Invalid, "2", "configuration or usage error", "mend the variables that the message names"},
	{runner.Inconclusive, "3", "could not observe: the API server is unreachable or denies access, or fewer than MIN_PODS pods matched",
		"mend what the reason names (RBAC, network, HASH, NAMESPACE), then check again; do not promote"},
	{runner.NotReady, "4", "REQUIRE_READY, and a pod was not Ready at the closing check", "look at the pods that the reason names with kubectl describe pod"},
	{runner.Interrupted, "128+n", "ended by signal n (143: SIGTERM, 130: SIGINT)", "find out who ended it (a deleted Job, its deadline, an eviction), then check again"},
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
