package runner

import (
	"os"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// Verdict is the answer of a run.
type Verdict string

const (
	Pass         Verdict = "pass"         // the window closed below the limit
	Fail         Verdict = "fail"         // the limit was reached
	Invalid      Verdict = "invalid"      // the configuration or the command line is faulty; nothing was checked
	Inconclusive Verdict = "inconclusive" // the pods could not be observed
	NotReady     Verdict = "not_ready"    // below the limit, but a pod was not Ready at the closing check
	Interrupted  Verdict = "interrupted"  // ended from outside, before another verdict was reached
)

// Outcome is all there is to say at the end of a run.
type Outcome struct {
	Verdict Verdict
	Reason  string    // one sentence; it may hold text from the cluster, unescaped
	Signal  os.Signal // what interrupted the run; nil: nothing, or a context that ended for another reason

	Crashes      int64
	Checks       int64 // successful ones
	FailedChecks int64 // attempts that failed
	Pods         int   // distinct pods seen, by UID
	Selector     string
	Elapsed      time.Duration
	LongestGap   time.Duration // longest time between successful checks, the run's start and end included
	Containers   []checker.ContainerCrashes
	Blocked      []checker.Blocked // what could not start when the last successful check was made
}

// SignalError is the cause to cancel a run's context with when a signal arrives.
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
