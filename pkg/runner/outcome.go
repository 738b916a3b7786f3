package runner

import (
	"os"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// Verdict is the result of a run.
type Verdict string

const (
	Pass         Verdict = "pass"         // the window closed below the limit
	Fail         Verdict = "fail"         // the limit was reached
	Invalid      Verdict = "invalid"      // the configuration or the command line is invalid; nothing was checked
	Inconclusive Verdict = "inconclusive" // the release could not be observed, never ran, or is gone
	NotReady     Verdict = "not_ready"    // below the limit, but a pod was not Ready at the final check
	Interrupted  Verdict = "interrupted"  // ended from outside, before another verdict was reached
)

// Cause says why a verdict is [Inconclusive] or [NotReady]. It is empty for other verdicts.
type Cause string

const (
	// The checks failed; [Outcome.Err] is the last error.

	Rejected   Cause = "rejected"   // the API server does not accept the request
	Denied     Cause = "denied"     // the API server has denied access from the start
	Unobserved Cause = "unobserved" // checks have failed for longer than the grace

	// The checks succeeded; [Outcome.Last] is the final one.

	Aborted      Cause = "aborted"      // the workload has aborted its release; see [Outcome.Version]
	NoVersion    Cause = "noVersion"    // the version of the workload is not known yet; see [Outcome.Version]
	Superseded   Cause = "superseded"   // the workload no longer releases the version; see [Outcome.Last]
	NeverMatched Cause = "neverMatched" // no pod ever matched the selector
	NeverRan     Cause = "neverRan"     // fewer than MinPods pods ran at the same time
	Gone         Cause = "gone"         // no pod that has run was left
	Unreported   Cause = "unreported"   // the nodes of all pods that are left have stopped reporting
	NoBaseline   Cause = "noBaseline"   // the final check set the baseline: the crashes before it are not known
	PodsNotReady Cause = "podsNotReady" // RequireReady, and a pod was not Ready
	NoneToJudge  Cause = "noneToJudge"  // RequireReady, and no pod was left that could be Ready
)

// Outcome has all facts about a run. Times without a date are relative to its start.
type Outcome struct {
	Plan    Plan
	Verdict Verdict
	Cause   Cause
	Err     error     // the last error, if Cause is one of failed checks; the context's cause, if Interrupted
	Signal  os.Signal // the signal that interrupted the run; nil: none

	Start      time.Time
	Elapsed    time.Duration
	LongestGap time.Duration // longest time between successful checks, start and end of the run included

	Checks       int64         // successful ones
	FailedChecks int64         // attempts that failed
	Failures     int64         // of these, the ones in a row at the end
	LastSuccess  time.Duration // when the last successful check ended; 0: none

	Selector   string
	Version    checker.Version // of the workload, if there is one
	Pods       int             // distinct pods seen, by UID
	MostPods   int             // seen by one check
	MostRan    int             // pods that have run, and have not Failed, seen by one check
	Crashes    int64
	AtStart    int64 // crashes that the first successful check found
	Containers []checker.ContainerCrashes
	Last       checker.Tally // the last successful check
	GoneSince  time.Duration // when the current series of checks without a present pod began, see [checker.Tally]; 0: there is none

	LastFailure *checker.PodFailure // the pod that was seen to fail last; nil: none
}

// SignalError is the cause with which to cancel a run's context when a signal arrives.
type SignalError struct{ Signal os.Signal }

func (e SignalError) Error() string {
	switch e.Signal {
	case syscall.SIGTERM:
		return "ended by SIGTERM"
	case syscall.SIGINT:
		return "ended by SIGINT"
	}
	return "ended by signal " + e.Signal.String()
}
